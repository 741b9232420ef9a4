unit-lane-srcs := tests/unit/lane/test_lane.c
