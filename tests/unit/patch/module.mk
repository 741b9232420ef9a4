unit-patch-srcs := tests/unit/patch/test_patch.c tools/patch/code.c tools/patch/image.c tools/patch/cache.c tools/patch/cache_trim.c
unit-patch-libs := -lZydis -ldl
