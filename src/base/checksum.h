/* checksum.h: a fast 64-bit checksum of a page. Not a cryptographic one: it finds accidents. */
#ifndef QUIRE_BASE_CHECKSUM_H
#define QUIRE_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Of nbytes at bytes, under seed (the identity of what is sealed). nbytes is a multiple of 64.
 * An error confined to 16 aligned bytes changes the inner state for certain, and so is missed once
 * in about 2^64, as is any other that was not made to pass (checksum.c), or another seed. The same
 * on every machine. */
uint64_t quire_checksum(const void *bytes, size_t nbytes, uint64_t seed);

/* Spread 64 bits over 64 bits, one to one: to derive seeds from identities. */
uint64_t quire_checksum_mix(uint64_t value);

#endif
