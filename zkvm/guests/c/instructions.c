/* Every instruction beyond plain MIPS I that compilers emit, and those that only
 * assembly reaches, each checked against portable C on edge and pseudo-random
 * operands. Prints a checksum of all results, so that two machines can be
 * compared; exits with the number of the first instruction that is wrong. */
#include "guest.h"

static u32 checksum, checks, failed_at;

static void check(u32 number, u32 got, u32 want)
{
	checks++;
	checksum = (checksum << 5 | checksum >> 27) ^ got;
	if (got != want && !failed_at) {
		failed_at = number;
		guest_print("instruction check ");
		guest_print_hex(number);
		guest_print(" got ");
		guest_print_hex(got);
		guest_print(" want ");
		guest_print_hex(want);
		guest_print("\n");
	}
}

/* Runs one instruction with output %0 and inputs %1, %2. */
#define OP2(instruction, a, b)                                                 \
	({                                                                     \
		u32 out_;                                                      \
		__asm__ volatile(instruction                                   \
				 : "=&r"(out_)                                 \
				 : "r"(a), "r"(b)                              \
				 : "hi", "lo");                                \
		out_;                                                          \
	})
/* The same where the old value of %0 matters. */
#define OP2_KEEP(instruction, old, a, b)                                       \
	({                                                                     \
		u32 out_ = (old);                                              \
		__asm__ volatile(instruction : "+&r"(out_) : "r"(a), "r"(b));  \
		out_;                                                          \
	})
#define HILO(instruction, hi_, lo_, a, b)                                      \
	__asm__ volatile("mthi %0\n\tmtlo %1\n\t" instruction                  \
			 "\n\tmfhi %0\n\tmflo %1"                              \
			 : "+&r"(hi_), "+&r"(lo_)                              \
			 : "r"(a), "r"(b)                                      \
			 : "hi", "lo")

static u32 leading_zeros(u32 x)
{
	u32 n = 0;

	for (; n < 32 && !(x & 0x80000000u); n++)
		x <<= 1;
	return n;
}

static void arithmetic(u32 a, u32 b)
{
	int s = (int)a, t = (int)b;
	u32 n = b & 31;

	check(1, OP2("rotrv %0, %1, %2", a, b), n ? a >> n | a << (32 - n) : a);
	check(2, OP2("rotr %0, %1, 7", a, b), a >> 7 | a << 25);
	check(3, OP2("seb %0, %1", a, b), (u32)(signed char)a);
	check(4, OP2("seh %0, %1", a, b), (u32)(short)a);
	check(5, OP2("wsbh %0, %1", a, b),
	      (a & 0x00ff00ff) << 8 | (a & 0xff00ff00) >> 8);
	check(6, OP2("clz %0, %1", a, b), leading_zeros(a));
	check(7, OP2("clo %0, %1", a, b), leading_zeros(~a));
	check(8, OP2("ext %0, %1, 5, 11", a, b), a >> 5 & 0x7ff);
	check(9, OP2("ext %0, %1, 0, 32", a, b), a);
	check(10, OP2("ext %0, %1, 31, 1", a, b), a >> 31);
	check(11, OP2_KEEP("ins %0, %1, 4, 9", b, a, 0),
	      (b & ~(0x1ffu << 4)) | (a & 0x1ff) << 4);
	check(12, OP2_KEEP("ins %0, %1, 0, 32", b, a, 0), a);
	check(13, OP2_KEEP("ins %0, %1, 31, 1", b, a, 0),
	      (b & 0x7fffffff) | a << 31);
	check(14, OP2_KEEP("movn %0, %1, %2", 0x1234, a, b), b ? a : 0x1234);
	check(15, OP2_KEEP("movz %0, %1, %2", 0x1234, a, b), b ? 0x1234 : a);
	check(16, OP2("mul %0, %1, %2", a, b), a * b);
	check(17, OP2("slt %0, %1, %2", a, b), s < t);
	check(18, OP2("sltu %0, %1, %2", a, b), a < b);
	check(19, OP2("nor %0, %1, %2", a, b), ~(a | b));
	check(20, OP2("sllv %0, %1, %2", a, b), a << n);
	check(21, OP2("srlv %0, %1, %2", a, b), a >> n);
	check(22, OP2("srav %0, %1, %2", a, b), (u32)(s >> n));

	u32 hi = b ^ 0x5a5a5a5a, lo = a + b;
	u64 acc = (u64)hi << 32 | lo, want;
	u32 h, l;

#define ACCUMULATE(number, name, expression)                                   \
	h = hi, l = lo, want = (expression);                                   \
	HILO(name " %2, %3", h, l, a, b);                                      \
	check(number, h, (u32)(want >> 32));                                   \
	check(number, l, (u32)want)
	ACCUMULATE(23, "mult", (u64)((long long)s * t));
	ACCUMULATE(24, "multu", (u64)a * b);
	ACCUMULATE(25, "madd", acc + (u64)((long long)s * t));
	ACCUMULATE(26, "maddu", acc + (u64)a * b);
	ACCUMULATE(27, "msub", acc - (u64)((long long)s * t));
	ACCUMULATE(28, "msubu", acc - (u64)a * b);
	if (b) {
		h = hi, l = lo;
		HILO("divu $0, %2, %3", h, l, a, b);
		check(29, h, a % b);
		check(29, l, a / b);
		if (!(a == 0x80000000 && b == 0xffffffff)) {
			h = hi, l = lo;
			HILO("div $0, %2, %3", h, l, a, b);
			check(30, h, (u32)(s % t));
			check(30, l, (u32)(s / t));
		}
	}
	/* Traps whose condition does not hold. */
	if (s >= t)
		__asm__ volatile("tlt %0, %1" ::"r"(a), "r"(b));
	else
		__asm__ volatile("tge %0, %1" ::"r"(a), "r"(b));
	if (a >= b)
		__asm__ volatile("tltu %0, %1" ::"r"(a), "r"(b));
	else
		__asm__ volatile("tgeu %0, %1" ::"r"(a), "r"(b));
	if (a != b)
		__asm__ volatile("teq %0, %1" ::"r"(a), "r"(b));
	else
		__asm__ volatile("tne %0, %1" ::"r"(a), "r"(b));
}

static u8 bytes[16] __attribute__((aligned(8)));

static void unaligned(u32 seed)
{
	for (u32 offset = 0; offset < 8; offset++) {
		for (u32 i = 0; i < 16; i++)
			bytes[i] = (u8)(seed >> (i & 24) ^ i * 37);
		u8 *at = bytes + offset;
		u32 want = (u32)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
		u32 got = seed;

		__asm__ volatile("lwl %0, 0(%1)\n\tlwr %0, 3(%1)"
				 : "+&r"(got)
				 : "r"(at)
				 : "memory");
		check(31, got, want);
		got = seed;
		__asm__ volatile("lwr %0, 0(%1)" : "+&r"(got) : "r"(at) : "memory");
		u32 *word = (u32 *)((u32)at & ~3u);
		u32 kept = 8 * (3 - ((u32)at & 3));
		check(32, got,
		      kept ? (seed & ~(0xffffffffu >> kept)) | *word >> kept : *word);
		__asm__ volatile("swl %0, 0(%1)\n\tswr %0, 3(%1)" ::"r"(~seed), "r"(at)
				 : "memory");
		check(33, (u32)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3], ~seed);
		__asm__ volatile("sh %0, 2(%1)\n\tsb %0, 1(%1)" ::"r"(seed), "r"(bytes)
				 : "memory");
		check(34, *(u32 *)bytes & 0x00ffffff, (seed & 0xff) << 16 | (seed & 0xffff));
	}
}

static u32 cell;

static void atomics(u32 a, u32 b)
{
	u32 old, done;

	cell = a;
	__asm__ volatile("ll %0, %2\n\taddu %1, %0, %3\n\tsc %1, %2"
			 : "=&r"(old), "=&r"(done), "+m"(cell)
			 : "r"(b)
			 : "memory");
	check(35, old, a);
	check(35, done, 1);
	check(35, cell, a + b);
	/* The link is gone now. (qemu keeps the link and compares values instead:
	 * with b = 0 it would find the old one and store.) */
	if (b) {
		done = b;
		__asm__ volatile("sc %0, %1" : "+&r"(done), "+m"(cell)::"memory");
		check(36, done, 0);
		check(36, cell, a + b);
	}
	/* The compiler's own loops. */
	check(37, __atomic_fetch_add(&cell, b, __ATOMIC_SEQ_CST), a + b);
	u32 expected = a;
	__atomic_compare_exchange_n(&cell, &expected, 7, 0, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	check(38, expected, a + 2 * b == a ? a : a + 2 * b);
}

/* Branch-likely: the delay slot runs only when the branch is taken. */
static void branches(u32 a, u32 b)
{
	u32 slot = 0;

	__asm__ volatile(".set push\n\t.set noreorder\n\t"
			 "beql %1, %2, 1f\n\taddiu %0, %0, 1\n1:\n\t.set pop"
			 : "+&r"(slot)
			 : "r"(a), "r"(b));
	check(39, slot, a == b);
	__asm__ volatile(".set push\n\t.set noreorder\n\t"
			 "bgezl %1, 1f\n\taddiu %0, %0, 2\n1:\n\t.set pop"
			 : "+&r"(slot)
			 : "r"(a), "r"(b));
	check(40, slot, (u32)(a == b) + 2 * ((int)a >= 0));
	/* A delay slot that changes the branch's own operand comes too late. */
	u32 x = a, taken = 1;
	__asm__ volatile(".set push\n\t.set noreorder\n\t"
			 "bltz %0, 1f\n\tnor %0, %0, $0\n\tmove %1, $0\n1:\n\t.set pop"
			 : "+&r"(x), "+&r"(taken));
	check(41, x, ~a);
	check(41, taken, (int)a < 0);
}

int main(void)
{
	static const u32 edges[] = { 0, 1, 2, 31, 32, 0x7f, 0x80, 0x7fff, 0x8000,
				     0xffff, 0x7fffffff, 0x80000000, 0x80000001,
				     0xfffffffe, 0xffffffff };
	const u32 count = sizeof edges / sizeof edges[0];
	u32 x = 0x2545f491;

	for (u32 i = 0; i < count; i++)
		for (u32 j = 0; j < count; j++) {
			arithmetic(edges[i], edges[j]);
			atomics(edges[i], edges[j]);
			branches(edges[i], edges[j]);
		}
	for (u32 i = 0; i < 2000; i++) {
		u32 a = x ^= x << 13;
		u32 b;

		a ^= a >> 17;
		b = a * 0x9e3779b9;
		x = a ^ a << 5;
		arithmetic(a, b);
		unaligned(b);
		atomics(a, b);
		branches(a, b);
	}
	guest_print("checks ");
	guest_print_hex(checks);
	guest_print(" checksum ");
	guest_print_hex(checksum);
	guest_print("\n");
	return (int)failed_at;
}
