unit-cores-srcs := tests/unit/cores/test_cores.c userlib/rt/cores.c
