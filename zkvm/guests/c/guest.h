/* System calls of the Tapestry zkVM for freestanding C guests.
 *
 * The machine changes $2 (the result) and $7 (0, or 1 with an errno in $2) and
 * never memory. A Linux kernel may clobber more; the list below is its. */
#ifndef TAPESTRY_GUEST_H
#define TAPESTRY_GUEST_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

enum {
	SYS_WRITE = 4004,
	SYS_EXIT_GROUP = 4246,
	SYS_CLAIM = 9001,
	SYS_HINT_BLAKE3 = 9002,
	SYS_HINT_SHA256 = 9003,
};

#define GUEST_CLOBBERS                                                         \
	"$1", "$3", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15",      \
		"$24", "$25", "hi", "lo", "memory"

static inline u32 guest_syscall3(u32 number, u32 a, u32 b, u32 c, u32 *failed)
{
	register u32 v0 __asm__("$2") = number;
	register u32 a0 __asm__("$4") = a;
	register u32 a1 __asm__("$5") = b;
	register u32 a2 __asm__("$6") = c;
	register u32 a3 __asm__("$7");

	__asm__ volatile("syscall"
			 : "+r"(v0), "=r"(a3)
			 : "r"(a0), "r"(a1), "r"(a2)
			 : GUEST_CLOBBERS);
	*failed = a3;
	return v0;
}

/* Ends the run: 0 accepts the claim, anything else rejects it. */
void guest_exit(int code) __attribute__((noreturn, used));
void guest_exit(int code)
{
	u32 failed;

	for (;;)
		guest_syscall3(SYS_EXIT_GROUP, (u32)code, 0, 0, &failed);
}

/* The compiler calls these two by name. */
void *memset(void *to, int byte, u32 length) __attribute__((used));
void *memset(void *to, int byte, u32 length)
{
	for (u32 i = 0; i < length; i++)
		((volatile u8 *)to)[i] = (u8)byte;
	return to;
}

void *memcpy(void *to, const void *from, u32 length) __attribute__((used));
void *memcpy(void *to, const void *from, u32 length)
{
	for (u32 i = 0; i < length; i++)
		((volatile u8 *)to)[i] = ((const u8 *)from)[i];
	return to;
}

static inline void guest_write(const char *text, u32 length)
{
	u32 failed;

	guest_syscall3(SYS_WRITE, 1, (u32)text, length, &failed);
}

static inline void guest_print(const char *text)
{
	u32 length = 0;

	while (text[length])
		length++;
	guest_write(text, length);
}

static inline void guest_print_hex(u32 word)
{
	char text[8];

	for (int i = 0; i < 8; i++)
		text[i] = "0123456789abcdef"[(word >> (28 - 4 * i)) & 15];
	guest_write(text, 8);
}

/* Claim word i. *failed is set only outside the zkVM: inside, an index past the
 * claim's end ends the run as rejected. */
static inline u32 guest_claim(u32 i, u32 *failed)
{
	return guest_syscall3(SYS_CLAIM, i, 0, 0, failed);
}

/* Word i < 16 of the 64-byte message whose BLAKE3 digest lies at key, a multiple
 * of 32. *failed as in guest_claim: a bad index or key rejects. */
static inline u32 guest_hint_blake3(const u8 *key, u32 i, u32 *failed)
{
	return guest_syscall3(SYS_HINT_BLAKE3, (u32)key, i, 0, failed);
}

/* Word i < 24 of what SHA-256's compression function maps to the digest at key, a
 * multiple of 32: eight words of chaining value, then sixteen of block. *failed as
 * in guest_hint_blake3. */
static inline u32 guest_hint_sha256(const u8 *key, u32 i, u32 *failed)
{
	return guest_syscall3(SYS_HINT_SHA256, (u32)key, i, 0, failed);
}

#endif
