unit-scheduler-srcs := tests/unit/scheduler/test_core.c scheduler/core.c
