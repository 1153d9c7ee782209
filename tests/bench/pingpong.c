// SPDX-License-Identifier: MIT
/* pingpong: prints how far apart the first two processors are, as user/bench_probe.h has it. */
#include <inttypes.h>
#include <stdio.h>

#include "bench_probe.h"

int main(void)
{
	printf("%" PRIu32 "\n", ivp_bench_probe());
	return 0;
}
