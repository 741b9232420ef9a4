# Unit tests of program memory and futexes. Each: unit-<name>-srcs, all compiled hosted; unit-<name>-flags in addition.
unit-tests += vma mm futex elf
proc-mm-srcs := userlib/proc/vma.c userlib/proc/mm.c userlib/proc/mm_object.c userlib/proc/mm_map.c userlib/proc/mm_change.c \
	userlib/proc/mm_fork.c userlib/proc/mm_fault.c userlib/proc/mm_advise.c userlib/proc/mm_show.c \
	userlib/base/log.c userlib/base/fmt.c userlib/base/page.c userlib/base/slab.c tests/unit/proc/stub_rt.c
unit-vma-srcs := tests/unit/proc/test_vma.c userlib/proc/vma.c userlib/base/log.c userlib/base/fmt.c
unit-mm-srcs := tests/unit/proc/test_mm.c $(proc-mm-srcs)
unit-futex-srcs := tests/unit/proc/test_futex.c userlib/proc/futex.c userlib/proc/futex_pi.c userlib/proc/futex_robust.c $(proc-mm-srcs)
unit-mm-flags := -fno-strict-aliasing -include tests/unit/proc/hosted_uapi.h
unit-futex-flags := $(unit-mm-flags)
unit-elf-srcs := tests/unit/proc/test_elf.c userlib/proc/elf.c userlib/proc/elf_load.c $(proc-mm-srcs)
unit-elf-flags := $(unit-mm-flags)
