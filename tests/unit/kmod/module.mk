unit-kmod-srcs := tests/unit/kmod/test_uintr_logic.c
