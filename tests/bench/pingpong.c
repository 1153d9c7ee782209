// SPDX-License-Identifier: MIT
/*
 * pingpong: prints how far apart the first two processors are, as user/bench_probe.h has it; and again for each line that it
 * reads, until there is none.
 */
#include <inttypes.h>
#include <stdio.h>

#include "bench_probe.h"

int main(void)
{
	int c;

	do {
		printf("%" PRIu32 "\n", ivp_bench_probe());
		fflush(stdout);
		do
			c = getchar();
		while (c != '\n' && c != EOF);
	} while (c == '\n');
	return 0;
}
