unit-scheduler-srcs := tests/unit/scheduler/test_core.c scheduler/core.c tests/unit/scheduler/test_segment.c scheduler/segment.c
