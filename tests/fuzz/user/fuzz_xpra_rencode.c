// SPDX-License-Identifier: MIT
/* Packets of Xpra's in rencode, the old one and rencodeplus. */
#include "xpra_tree.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t len);

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t len)
{
	struct ivp_values tree = {0};

	if (!ivp_rencode_decode(&tree, bytes, len))
		tree_check(&tree);
	ivp_values_drop(&tree);
	return 0;
}
