#include "textflag.h"

// Offsets in the runtime's g and m; the compiler relies on those of g
// (cmd/internal/objabi), so they change only with the toolchain. start_go119.go
// limits the versions that this file is built with.
#define g_stack_lo	0
#define g_stack_hi	4
#define g_stackguard0	8
#define g_stackguard1	12
#define g_m		24
#define m_g0		0
// runtime._StackGuard on Linux.
#define StackGuard	928

// _rt0_tapestry is the program's entry. R29 points at argc, argv, NULL, envp,
// NULL, auxv as Linux lays them out. It is runtime·rt0_go with one difference:
// the first goroutine runs ·start instead of runtime·main.
TEXT _rt0_tapestry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVW	0(R29), R4	// argc
	ADDU	$4, R29, R5	// argv
	ADDU	$-12, R29
	MOVW	R4, 4(R29)
	MOVW	R5, 8(R29)

	// g0 runs on the initial stack; 64 KiB of it.
	MOVW	$runtime·g0(SB), g
	MOVW	$(-64*1024), R23
	ADDU	R23, R29, R1
	MOVW	R1, g_stack_lo(g)
	MOVW	R29, g_stack_hi(g)
	ADDU	$StackGuard, R1
	MOVW	R1, g_stackguard0(g)
	MOVW	R1, g_stackguard1(g)

	MOVW	$runtime·m0(SB), R1
	MOVW	g, m_g0(R1)
	MOVW	R1, g_m(g)

	JAL	runtime·check(SB)
	JAL	runtime·args(SB)
	JAL	runtime·osinit(SB)
	JAL	runtime·schedinit(SB)

	MOVW	$·startPC(SB), R1
	ADDU	$-8, R29
	MOVW	R1, 4(R29)
	MOVW	R0, 0(R29)
	JAL	runtime·newproc(SB)
	ADDU	$8, R29

	JAL	runtime·mstart(SB)
	UNDEF
	RET

DATA	·startPC+0(SB)/4,$·start(SB)
GLOBL	·startPC(SB),RODATA,$4
