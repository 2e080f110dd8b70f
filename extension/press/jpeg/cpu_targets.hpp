// Attributes of the functions in which most of the time is spent.
#pragma once

// A function may be compiled twice, for any x86-64 and for x86-64-v3 (AVX2, BMI2), where it is up
// to three times as fast; the loader picks one. Both compute exactly the same. IMGPRESS_CPU_TARGETS
// does so with one definition. The others mark two, where registers of another size need other
// code; the second one is there only if IMGPRESS_AVX2 is defined.
//
// No such function may throw, nor anything that it calls: GCC takes a call of one for a call that
// never does, so that the exception could end the program.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define IMGPRESS_AVX2 __attribute__((target("arch=x86-64-v3")))
#define IMGPRESS_ANY_CPU __attribute__((target("default")))
#define IMGPRESS_CPU_TARGETS __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define IMGPRESS_ANY_CPU
#define IMGPRESS_CPU_TARGETS
#endif

// Forces a function inline into its caller, so that the caller's target applies to it as well and
// its state stays in registers.
#define IMGPRESS_INLINE inline __attribute__((always_inline))
// The same for a lambda, behind its parameters.
#define IMGPRESS_INLINE_LAMBDA __attribute__((always_inline))
