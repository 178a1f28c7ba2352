/* Entry of a freestanding C guest. The loader sets $29 to the Linux start-up
 * layout (argc first); main's result is the exit code, and 0 accepts. */
	.set noreorder
	.text
	.globl __start
	.type __start, @function
__start:
	move	$30, $0			/* outermost frame */
	move	$31, $0
	lw	$4, 0($29)		/* argc */
	addiu	$5, $29, 4		/* argv */
	addiu	$8, $0, -8
	and	$29, $29, $8		/* o32: 8-byte aligned, */
	jal	main
	addiu	$29, $29, -16		/* with room for four arguments */
	move	$4, $2
	jal	guest_exit
	nop
	.size __start, . - __start
