# patch: hosted. Finds system-call sites and makes cached patched images; linked into jctl.
patch-objs := tools/patch/cache.o tools/patch/cache_trim.o tools/patch/image.o tools/patch/code.o
