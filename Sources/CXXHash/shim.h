/* xxHash compiled into the importing module. XXH_INLINE_ALL renames the functions by macros, which
 * Swift does not see: the few that are used get their own names back here. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#define PLAIN(type, name, parameters, arguments) \
    static inline type name parameters { return XXH_INLINE_##name arguments; }

#undef XXH3_64bits
#undef XXH3_64bits_withSeed
#undef XXH3_createState
#undef XXH3_freeState
#undef XXH3_64bits_reset
#undef XXH3_64bits_update
#undef XXH3_64bits_digest

PLAIN(XXH64_hash_t, XXH3_64bits, (const void *data, size_t size), (data, size))
PLAIN(XXH64_hash_t, XXH3_64bits_withSeed, (const void *data, size_t size, XXH64_hash_t seed),
      (data, size, seed))
PLAIN(XXH3_state_t *, XXH3_createState, (void), ())
PLAIN(XXH_errorcode, XXH3_freeState, (XXH3_state_t *state), (state))
PLAIN(XXH_errorcode, XXH3_64bits_reset, (XXH3_state_t *state), (state))
PLAIN(XXH_errorcode, XXH3_64bits_update, (XXH3_state_t *state, const void *data, size_t size),
      (state, data, size))
PLAIN(XXH64_hash_t, XXH3_64bits_digest, (const XXH3_state_t *state), (state))
#undef PLAIN
