// CRC-32C (RFC 3720, appendix B.4) as an addon for Node:
//
//   crc32c(bytes: Uint8Array, previous = 0): number        the sum, or how the sum of what came before goes on
//   crc32cBySums                                           the same by the slower of the two ways, for tests
//   source: string                                         the SHA-256 of this file, in hexadecimal
//
// A processor has an instruction for this sum, but each waits some cycles for the one before. So there are two ways that have
// several under way: three sums over three stretches side by side, joined afterwards; and, where the processor has AVX-512
// and carry-less multiplication, folding the bytes into four registers of 64 bytes.
//
// The declarations of Node-API below are all that is needed: no header of Node, no C library. What stands beside this
// file is made of it by `npm run build:native` (docs/decisions/0029).

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#else
#error "no instruction for CRC-32C is known here"
#endif

// ---- The polynomial's arithmetic: bit 31 is the coefficient of x^0 ("reflected").

#define POLYNOMIAL 0x82f63b78u

static uint32_t times_x(uint32_t a) { return (a >> 1) ^ ((a & 1) ? POLYNOMIAL : 0); }

// x to the given power, modulo the polynomial.
static uint32_t power_of_x(unsigned power) {
  uint32_t result = 0x80000000u;
  while (power-- > 0) result = times_x(result);
  return result;
}

// ---- One step of the sum: eight bytes, or one.

#if defined(__x86_64__)
#define SUMS __attribute__((target("sse4.2,crc32")))
#define SUM_8(crc, p) ((uint32_t)_mm_crc32_u64((crc), load(p)))
#define SUM_1(crc, p) _mm_crc32_u8((crc), *(p))
#else
#define SUMS __attribute__((target("crc")))
#define SUM_8(crc, p) __crc32cd((crc), load(p))
#define SUM_1(crc, p) __crc32cb((crc), *(p))
#endif

static inline uint64_t load(const uint8_t *p) {
  uint64_t value;
  __builtin_memcpy(&value, p, sizeof value);
  return value;
}

// ---- Three sums side by side.

#define LONG_STRETCH 2048
#define SHORT_STRETCH 128

// What a sum becomes when `stretch` bytes of 0 follow, by each of its four bytes.
typedef uint32_t shift_table[4][256];
static shift_table after_long, after_short;

static void fill(shift_table table, unsigned stretch) {
  uint32_t shifted = power_of_x(stretch * 8);
  for (int bit = 31; bit >= 0; bit--) {
    table[bit / 8][1 << bit % 8] = shifted;
    shifted = times_x(shifted);
  }
  for (int byte = 0; byte < 4; byte++) {
    for (int value = 1; value < 256; value++) {
      int lowest = value & -value;
      table[byte][value] = table[byte][lowest] ^ table[byte][value ^ lowest];
    }
  }
}

static inline uint32_t shift(shift_table table, uint32_t crc) {
  return table[0][crc & 255] ^ table[1][crc >> 8 & 255] ^ table[2][crc >> 16 & 255] ^ table[3][crc >> 24];
}

SUMS static inline uint32_t three(uint32_t crc, const uint8_t *p, size_t stretch, shift_table table) {
  uint32_t second = 0, third = 0;
  for (const uint8_t *end = p + stretch; p < end; p += 8) {
    crc = SUM_8(crc, p);
    second = SUM_8(second, p + stretch);
    third = SUM_8(third, p + 2 * stretch);
  }
  return shift(table, shift(table, crc) ^ second) ^ third;
}

SUMS static uint32_t by_sums(uint32_t crc, const uint8_t *p, size_t length) {
  for (; length >= 3 * LONG_STRETCH; p += 3 * LONG_STRETCH, length -= 3 * LONG_STRETCH) {
    crc = three(crc, p, LONG_STRETCH, after_long);
  }
  for (; length >= 3 * SHORT_STRETCH; p += 3 * SHORT_STRETCH, length -= 3 * SHORT_STRETCH) {
    crc = three(crc, p, SHORT_STRETCH, after_short);
  }
  for (; length >= 8; p += 8, length -= 8) crc = SUM_8(crc, p);
  for (; length > 0; p++, length--) crc = SUM_1(crc, p);
  return crc;
}

#if defined(__x86_64__)

// ---- Folding. A register is a polynomial; `fold` multiplies each 128 bits of it by x^distance, modulo the sum's polynomial, so
// that it can be added to what stands that many bits later. (Gopal et al., "Fast CRC Computation for Generic Polynomials Using
// PCLMULQDQ Instruction", Intel 2009.)

#define FOLDS __attribute__((target("sse4.2,crc32,avx512f,avx512vl,avx512dq,pclmul,vpclmulqdq")))
#define FOLD_MIN 512

// What the lower 64 bits and the upper ones are multiplied by.
typedef struct { uint64_t lower, upper; } factors;
static factors by_256_bytes, by_64_bytes, by_16_bytes;

static factors factors_of(unsigned bits) {
  // The product of two reflected numbers comes out one place too low; the upper half is 64 places nearer to the end.
  return (factors){(uint64_t)power_of_x(bits + 32) << 1, (uint64_t)power_of_x(bits - 32) << 1};
}

FOLDS static inline __m512i spread(const factors *by) {
  return _mm512_broadcast_i32x4(_mm_set_epi64x((long long)by->upper, (long long)by->lower));
}

FOLDS static inline __m512i fold(__m512i a, __m512i by, __m512i next) {
  __m512i lower = _mm512_clmulepi64_epi128(a, by, 0x00);
  __m512i upper = _mm512_clmulepi64_epi128(a, by, 0x11);
  return _mm512_ternarylogic_epi64(lower, upper, next, 0x96);  // the exclusive or of all three
}

FOLDS static inline __m128i fold_128(__m128i a, __m128i by, __m128i next) {
  __m128i lower = _mm_clmulepi64_si128(a, by, 0x00);
  __m128i upper = _mm_clmulepi64_si128(a, by, 0x11);
  return _mm_ternarylogic_epi64(lower, upper, next, 0x96);
}

FOLDS static uint32_t by_folding(uint32_t crc, const uint8_t *p, size_t length) {
  if (length < FOLD_MIN) return by_sums(crc, p, length);
  __m512i by = spread(&by_256_bytes);
  __m512i a = _mm512_xor_si512(_mm512_loadu_si512(p), _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc)));
  __m512i b = _mm512_loadu_si512(p + 64);
  __m512i c = _mm512_loadu_si512(p + 128);
  __m512i d = _mm512_loadu_si512(p + 192);
  for (p += 256, length -= 256; length >= 256; p += 256, length -= 256) {
    a = fold(a, by, _mm512_loadu_si512(p));
    b = fold(b, by, _mm512_loadu_si512(p + 64));
    c = fold(c, by, _mm512_loadu_si512(p + 128));
    d = fold(d, by, _mm512_loadu_si512(p + 192));
  }
  by = spread(&by_64_bytes);
  d = fold(fold(fold(a, by, b), by, c), by, d);
  __m128i by_16 = _mm_set_epi64x((long long)by_16_bytes.upper, (long long)by_16_bytes.lower);
  __m128i e = _mm512_castsi512_si128(d);
  e = fold_128(e, by_16, _mm512_extracti32x4_epi32(d, 1));
  e = fold_128(e, by_16, _mm512_extracti32x4_epi32(d, 2));
  e = fold_128(e, by_16, _mm512_extracti32x4_epi32(d, 3));
  crc = (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(e));
  crc = (uint32_t)_mm_crc32_u64(crc, (uint64_t)_mm_extract_epi64(e, 1));
  return by_sums(crc, p, length);
}

static int has_sums(void) {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2);
}

// Whether the processor has it, and the system keeps its registers.
static int has_folding(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_PCLMUL)) return 0;
  unsigned kept, unused;
  __asm__("xgetbv" : "=a"(kept), "=d"(unused) : "c"(0));
  if ((kept & 0xe6) != 0xe6) return 0;  // those of SSE and AVX, and the three kinds of AVX-512
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  return (b & bit_AVX512F) && (b & bit_AVX512VL) && (b & bit_AVX512DQ) && (c & bit_VPCLMULQDQ);
}

#else

unsigned long getauxval(unsigned long type);

static int has_sums(void) { return (getauxval(16 /* AT_HWCAP */) & (1 << 7) /* HWCAP_CRC32 */) != 0; }

#endif

typedef uint32_t way(uint32_t crc, const uint8_t *p, size_t length);

// NULL where the processor has no such instruction.
static way *fastest;

__attribute__((constructor)) static void prepare(void) {
  if (!has_sums()) return;
  fill(after_long, LONG_STRETCH);
  fill(after_short, SHORT_STRETCH);
  fastest = by_sums;
#if defined(__x86_64__)
  if (!has_folding()) return;
  by_256_bytes = factors_of(256 * 8);
  by_64_bytes = factors_of(64 * 8);
  by_16_bytes = factors_of(16 * 8);
  fastest = by_folding;
#endif
}

// ---- Node-API (https://nodejs.org/api/n-api.html), as much of it as is used.

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
enum { napi_ok = 0, napi_uint8_array = 1 };

int napi_get_cb_info(napi_env, napi_callback_info, size_t *argc, napi_value *argv, napi_value *self, void **data);
int napi_get_typedarray_info(napi_env, napi_value, int *type, size_t *length, void **data, napi_value *buffer, size_t *offset);
int napi_get_value_uint32(napi_env, napi_value, uint32_t *result);
int napi_create_uint32(napi_env, uint32_t, napi_value *result);
int napi_create_function(napi_env, const char *name, size_t length, napi_callback, void *data, napi_value *result);
int napi_create_string_latin1(napi_env, const char *text, size_t length, napi_value *result);
int napi_set_named_property(napi_env, napi_value object, const char *name, napi_value);
int napi_throw_type_error(napi_env, const char *code, const char *message);

static napi_value crc32c(napi_env env, napi_callback_info info) {
  size_t count = 2, length;
  napi_value arguments[2], result;
  int type;
  void *bytes, *by;
  uint32_t crc = 0;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, &by) != napi_ok) return NULL;
  if (napi_get_typedarray_info(env, arguments[0], &type, &length, &bytes, NULL, NULL) != napi_ok || type != napi_uint8_array ||
      (count > 1 && napi_get_value_uint32(env, arguments[1], &crc) != napi_ok)) {
    napi_throw_type_error(env, NULL, "crc32c takes a Uint8Array, and may take the sum of what came before, a number");
    return NULL;
  }
  crc = ~((way *)by)(~crc, bytes, length);
  return napi_create_uint32(env, crc, &result) == napi_ok ? result : NULL;
}

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int node_api_module_get_api_version_v1(void) { return 8; }

// Exports no sum where the processor has no instruction for it.
EXPORTED napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  napi_value value;
  if (napi_create_string_latin1(env, SOURCE, sizeof SOURCE - 1, &value) == napi_ok) {
    napi_set_named_property(env, exports, "source", value);
  }
  if (fastest == NULL) return exports;
  if (napi_create_function(env, "crc32c", 6, crc32c, (void *)fastest, &value) == napi_ok) {
    napi_set_named_property(env, exports, "crc32c", value);
  }
  if (napi_create_function(env, "crc32cBySums", 12, crc32c, (void *)by_sums, &value) == napi_ok) {
    napi_set_named_property(env, exports, "crc32cBySums", value);
  }
  return exports;
}
