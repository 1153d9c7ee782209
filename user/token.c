// SPDX-License-Identifier: MIT
#include <errno.h>

#include "area.h"
#include "error.h"
#include "handshake.h"
#include "span.h"

/* As Xpra's, which are UUIDs in a field of this size. */
#define RANDOM_BYTES 16
#define FIELD_BYTES  128

int ivp_xpra_token_make(const struct ivp_xpra_area *area, struct ivp_xpra_token *token, struct ivp_error *err)
{
	u64 id;
	int ret;

	*token = (struct ivp_xpra_token){.bytes = FIELD_BYTES};
	if (!ivp_span_fits(IVP_XPRA_HEADER, FIELD_BYTES, area->size))
		return ivp_fail(err, IVP_FAIL_NO_REGION, -ERANGE, "no room for a token in %llu bytes",
				(unsigned long long)area->size);
	ret = ivp_random(token->value, RANDOM_BYTES, err);
	if (!ret)
		ret = ivp_random_id(&id, err);
	if (ret)
		return ret;
	/* Never zero, which is what untouched memory holds. */
	token->value[0] |= 1;
	token->index = IVP_XPRA_HEADER + id % (area->size - FIELD_BYTES - IVP_XPRA_HEADER + 1);
	return 0;
}

static int check_place(const struct ivp_xpra_area *area, const struct ivp_xpra_token *token, u64 first,
		       struct ivp_error *err)
{
	if (token->bytes && token->bytes <= IVP_XPRA_TOKEN_MAX &&
	    ivp_span_within(token->index, token->bytes, first, area->size - first))
		return 0;
	return ivp_fail(err, IVP_FAIL_REFUSED, -ERANGE, "a token of %u bytes at %llu, in an area of %llu", token->bytes,
			(unsigned long long)token->index, (unsigned long long)area->size);
}

int ivp_xpra_token_place(struct ivp_xpra_area *area, const struct ivp_xpra_token *token, struct ivp_error *err)
{
	int ret = check_place(area, token, IVP_XPRA_HEADER, err);

	if (!ret)
		ret = ivp_area_check(area, true, err);
	if (ret)
		return ret;
	ivp_copy_to(area->map + token->index, token->value, token->bytes);
	if (area->region && area->region->combined)
		ivp_fence_combined_stores();
	return ivp_area_check(area, true, err);
}

int ivp_xpra_token_verify(const struct ivp_xpra_area *area, const struct ivp_xpra_token *token, struct ivp_error *err)
{
	static const u8 zero[IVP_XPRA_TOKEN_MAX];
	u8 found[IVP_XPRA_TOKEN_MAX];
	int ret = check_place(area, token, 0, err);

	if (ret)
		return ret;
	ivp_copy_from(found, area->map + token->index, token->bytes);
	ret = ivp_area_check(area, false, err);
	if (ret)
		return ret;
	if (ivp_token_equal(token->value, zero, token->bytes))
		return ivp_fail(err, IVP_FAIL_REFUSED, -EBADMSG, "a token that is zero proves nothing");
	if (!ivp_token_equal(token->value, found, token->bytes))
		return ivp_fail(err, IVP_FAIL_REFUSED, -EBADMSG, "the token is not where it was said to be");
	return 0;
}
