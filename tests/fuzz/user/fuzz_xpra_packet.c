// SPDX-License-Identifier: MIT
/* The stream of Xpra's socket, as it is cut into packets: it goes on after each that was taken, and never past its end. */
#include "caps.h"
#include "xpra_tree.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t len);

/* As a client's hello, and as a server's. */
static void check_caps(const struct ivp_packet *packet)
{
	struct ivp_caps caps;

	for (int server = 0; server < 2; server++) {
		if (ivp_caps_read(&caps, packet, server))
			continue;
		HOLD(memchr(caps.version, '\0', sizeof(caps.version)));
		HOLD(caps.claim[IVP_DOWN].given || !(caps.enabled & IVP_FORM_AREAS));
		ivp_caps_agree(caps.version, ivp_caps_clients(caps.version));
		for (int way = 0; way < IVP_WAYS; way++) {
			const struct ivp_claim *claim = &caps.claim[way];

			HOLD(!claim->given || (claim->token.bytes && claim->token.bytes <= IVP_XPRA_TOKEN_MAX));
			HOLD(memchr(claim->file, '\0', sizeof(claim->file)));
		}
	}
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t len)
{
	struct ivp_error err = {0};
	struct ivp_packet packet;
	ptrdiff_t used;
	size_t wanted;

	while ((used = ivp_packet_take(&packet, bytes, len, &wanted, &err)) > 0) {
		HOLD((size_t)used == wanted && wanted <= len && wanted >= IVP_PACKET_HEADER);
		if (!packet.index)
			tree_check(&packet.tree);
		check_caps(&packet);
		ivp_packet_drop(&packet);
		bytes += used;
		len -= (size_t)used;
	}
	HOLD(used != -EAGAIN || wanted > len);
	HOLD(used == -EAGAIN || err.number == used);
	return 0;
}
