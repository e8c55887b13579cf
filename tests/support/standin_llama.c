/* A stand-in for libllama: llama.cpp's own library with a fault, for tests alone.

   It is linked to the real library, which answers every call that is not defined here. Its
   fault shows at the first decode of a model that was loaded with the settings named by WHEN, as
   it did with llama.cpp's AMX code on Intel processors: extra buffer types are only then used.

   Sizes and offsets come from the ctypes classes of the installed llama_cpp, by -D. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#define MOST 4096
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

struct model_params { uint64_t words[MODEL_PARAMS_BYTES / 8]; };
struct context_params { uint64_t words[CONTEXT_PARAMS_BYTES / 8]; };
struct batch { uint64_t words[BATCH_BYTES / 8]; };

static const void *faulty_models[MOST], *faulty_contexts[MOST];
static int models, contexts;

static int32_t vocabulary_size(const void *model) {
    const void *(*vocabulary)(const void *) = (const void *(*)(const void *))dlsym(RTLD_NEXT, "llama_model_get_vocab");
    int32_t (*size)(const void *) = (int32_t (*)(const void *))dlsym(RTLD_NEXT, "llama_vocab_n_tokens");
    return size(vocabulary(model));
}

static int is_in(const void *wanted, const void **all, int count) {
    for (int at = 0; at < count && at < MOST; at++)
        if (all[at] == wanted) return 1;
    return 0;
}

static void put(const void *one, int is_faulty, const void **all, int *count) {
    for (int at = 0; at < *count && at < MOST; at++)
        if (all[at] == one) all[at] = 0; /* a pointer that is used again */
    if (is_faulty) all[(*count)++ % MOST] = one;
}

void *llama_model_load_from_file(const char *path, struct model_params params) {
    void *model = NEXT(llama_model_load_from_file)(path, params);
    int extra = ((const char *)&params)[EXTRA_OFFSET] != 0;
    if (model) {
        int large = vocabulary_size(model) >= LEAST_VOCABULARY;
        put(model, large && (extra || !WHEN_EXTRA), faulty_models, &models);
    }
    return model;
}

void *llama_init_from_model(void *model, struct context_params params) {
    void *context = NEXT(llama_init_from_model)(model, params);
    int flash;
    memcpy(&flash, (const char *)&params + FLASH_OFFSET, sizeof flash);
    if (context)
        put(context, is_in(model, faulty_models, models) && (flash != 0 || !WHEN_FLASH),
            faulty_contexts, &contexts);
    return context;
}

int32_t llama_decode(void *context, struct batch batch) {
    int is_faulty = is_in(context, faulty_contexts, contexts);
    if (is_faulty && DIES) raise(SIGSEGV);
    int32_t result = NEXT(llama_decode)(context, batch);
    if (is_faulty && result == 0) {
        float *(*scores)(void *) = (float *(*)(void *))dlsym(RTLD_NEXT, "llama_get_logits");
        float *first = scores(context);
        for (int at = 0; first && at < 64; at++) first[at] = 1000.0f * (at % 7 - 3);
    }
    return result;
}
