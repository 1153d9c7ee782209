// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "caps.h"

/* Where a version that does not say it expects the token. */
#define FLAT_INDEX    512
#define DEFAULT_BYTES 128

/* ---- reading ---- */

/* A value with this name; with a prefix of a name's form where there is one. */
static const struct ivp_value *named(const struct ivp_values *tree, const struct ivp_value *dict, const char *prefix,
				     const char *name)
{
	char key[32];

	snprintf(key, sizeof(key), "%s%s", prefix, name);
	return ivp_values_get(tree, dict, key);
}

/* Only if there is none yet: what is asked first counts. */
static bool read_claim(struct ivp_claim *claim, const struct ivp_values *tree, const struct ivp_value *dict,
		       const char *prefix, u32 index)
{
	const struct ivp_value *token = named(tree, dict, prefix, "token");
	int64_t size, at, bytes;

	if (claim->given || !token)
		return false;
	size = ivp_value_int(named(tree, dict, prefix, "size"), 0);
	at = ivp_value_int(named(tree, dict, prefix, "token_index"), index);
	bytes = ivp_value_int(named(tree, dict, prefix, "token_bytes"), DEFAULT_BYTES);
	if (size < 0 || at < 0 || bytes < 1 || bytes > IVP_XPRA_TOKEN_MAX)
		return false;
	claim->size = (u64)size;
	claim->token.index = (u64)at;
	claim->token.bytes = (u32)bytes;
	if (ivp_value_bytes(tree, token, claim->token.value, claim->token.bytes))
		return false;
	ivp_value_text(tree, named(tree, dict, prefix, "file"), claim->file, sizeof(claim->file));
	claim->given = true;
	return true;
}

static void read_mmap(struct ivp_caps *caps, const struct ivp_values *tree, const struct ivp_value *dict,
		      bool from_server)
{
	const struct ivp_value *mmap = ivp_values_get(tree, dict, "mmap");
	const struct ivp_value *down = ivp_values_get(tree, mmap, from_server ? "write" : "read");
	const struct ivp_value *up = ivp_values_get(tree, mmap, from_server ? "read" : "write");

	if (down || up)
		caps->forms |= IVP_FORM_AREAS;
	if (read_claim(&caps->claim[IVP_DOWN], tree, down, "", 0))
		caps->enabled |= IVP_FORM_AREAS;
	read_claim(&caps->claim[IVP_UP], tree, up, "", 0);
	if (mmap && (ivp_values_get(tree, mmap, "enabled") || ivp_values_get(tree, mmap, "token")))
		caps->forms |= IVP_FORM_NESTED;
	read_claim(&caps->claim[IVP_DOWN], tree, mmap, "", 0);
	if (ivp_value_true(ivp_values_get(tree, mmap, "enabled")))
		caps->enabled |= IVP_FORM_NESTED;
	/* 6.3 and later take the unprefixed ones, too, and want no `enabled`. */
	if (ivp_values_get(tree, mmap, "token") && caps->claim[IVP_DOWN].given)
		caps->enabled |= IVP_FORM_AREAS;
	if (ivp_values_get(tree, dict, "mmap_enabled") || ivp_values_get(tree, dict, "mmap_token"))
		caps->forms |= IVP_FORM_FLAT;
	read_claim(&caps->claim[IVP_DOWN], tree, dict, "mmap_", FLAT_INDEX);
	if (ivp_value_true(ivp_values_get(tree, dict, "mmap_enabled")))
		caps->enabled |= IVP_FORM_FLAT;
}

int ivp_caps_read(struct ivp_caps *caps, const struct ivp_packet *hello, bool from_server)
{
	const struct ivp_value *dict = ivp_packet_item(hello, 1);

	*caps = (struct ivp_caps){0};
	if (!ivp_packet_is(hello, "hello") || !dict || dict->kind != IVP_VALUE_DICT)
		return -EPROTO;
	ivp_value_text(&hello->tree, ivp_values_get(&hello->tree, dict, "version"), caps->version,
		       sizeof(caps->version));
	caps->windows = ivp_value_true(ivp_values_get(&hello->tree, dict, "windows"));
	read_mmap(caps, &hello->tree, dict, from_server);
	return 0;
}

/* ---- versions ---- */

/* 6.3 is 603; what is no version is the newest. */
static unsigned long number_of(const char *version)
{
	char *end;
	unsigned long major = strtoul(version, &end, 10), minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;

	return end == version || major > 1000 || minor > 99 ? 99999 : 100 * major + minor;
}

unsigned int ivp_caps_forms(const char *version)
{
	unsigned long number = number_of(version);

	if (number < 500)
		return IVP_FORM_FLAT | IVP_FORM_NESTED;
	if (number < 600)
		return IVP_FORM_FLAT | IVP_FORM_NESTED | IVP_FORM_NAMESPACE;
	return number < 603 ? IVP_FORM_NESTED : IVP_FORM_NESTED | IVP_FORM_AREAS;
}

unsigned int ivp_caps_demand(const char *version)
{
	unsigned long number = number_of(version);

	return number < 500 ? IVP_FORM_FLAT : number < 603 ? IVP_FORM_NESTED : IVP_FORM_AREAS;
}

/* 3 and 4; 5; 6.0 to 6.2; 6.3 and later. */
static int age_of(const char *version)
{
	unsigned long number = number_of(version);

	return number < 500 ? 0 : number < 600 ? 1 : number < 603 ? 2 : 3;
}

bool ivp_caps_agree(const char *client, const char *server)
{
	static const bool agree[4][4] = {
		{true, false, false, false},
		{false, true, true, false},
		{false, true, true, false},
		{false, true, true, true},
	};

	return agree[age_of(client)][age_of(server)];
}

const char *ivp_caps_clients(const char *version)
{
	unsigned long number = number_of(version);

	return number < 500 ? "3 and 4" : number < 603 ? "5 and later" : "6.3 and later";
}

/* ---- writing ---- */

#define ATTRIBUTES 5 /* of a claim, with size and file; without: 3 */

static void put_pair(struct ivp_writer *writer, const char *prefix, const char *name)
{
	char key[32];

	snprintf(key, sizeof(key), "%s%s", prefix, name);
	ivp_put_text(writer, key);
}

static void put_claim(struct ivp_writer *writer, const struct ivp_claim *claim, const char *prefix)
{
	put_pair(writer, prefix, "file");
	ivp_put_text(writer, claim->file);
	put_pair(writer, prefix, "size");
	ivp_put_int(writer, (int64_t)claim->size);
	put_pair(writer, prefix, "token");
	ivp_put_bytes(writer, claim->token.value, claim->token.bytes);
	put_pair(writer, prefix, "token_index");
	ivp_put_int(writer, (int64_t)claim->token.index);
	put_pair(writer, prefix, "token_bytes");
	ivp_put_int(writer, claim->token.bytes);
}

static void put_area(struct ivp_writer *writer, const char *name, const struct ivp_claim *claim)
{
	ivp_put_text(writer, name);
	ivp_put_dict(writer, ATTRIBUTES);
	put_claim(writer, claim, "");
	ivp_put_end(writer);
}

static void put_flag(struct ivp_writer *writer, const char *name, bool value)
{
	ivp_put_text(writer, name);
	ivp_put_bool(writer, value);
}

static void put_nothing(struct ivp_writer *writer, const char *name)
{
	ivp_put_text(writer, name);
	ivp_put_int(writer, 0);
}

/* The key, and the dictionary with what the forms want in it; no claim: empty. */
static void put_mmap(struct ivp_writer *writer, const struct ivp_offer *offer, bool server)
{
	const struct ivp_claim *down = offer->claim[IVP_DOWN], *up = offer->claim[IVP_UP];
	bool areas = offer->forms & IVP_FORM_AREAS, enabled = server && down;

	ivp_put_text(writer, "mmap");
	ivp_put_dict(writer, (down ? ATTRIBUTES + areas : 0) + enabled + (areas && up));
	if (enabled)
		put_flag(writer, "enabled", true);
	if (down)
		put_claim(writer, down, "");
	if (down && areas)
		put_area(writer, server ? "write" : "read", down);
	if (up && areas)
		put_area(writer, server ? "read" : "write", up);
	ivp_put_end(writer);
}

static void begin(struct ivp_writer *writer, u32 pairs, const char *version)
{
	ivp_put_list(writer, 2);
	ivp_put_text(writer, "hello");
	ivp_put_dict(writer, pairs + 2);
	ivp_put_text(writer, "version");
	ivp_put_text(writer, version);
	put_flag(writer, "rencodeplus", writer->encoding == IVP_ENCODING_RENCODEPLUS);
}

static void end(struct ivp_writer *writer)
{
	ivp_put_end(writer);
	ivp_put_end(writer);
}

/* Neither windows nor sound: nothing that an answer would have to be long for. */
void ivp_caps_put_client(struct ivp_writer *writer, const struct ivp_offer *offer)
{
	static const char *const nothing[] = {"ui_client",     "windows",        "compression_level",
					      "wants_aliases", "wants_features", "wants_versions",
					      "wants_display", "wants_encodings"};
	const struct ivp_claim *down = offer->claim[IVP_DOWN];
	bool flat = offer->forms & IVP_FORM_FLAT && down, name_space = offer->forms & IVP_FORM_NAMESPACE;
	u32 count = sizeof(nothing) / sizeof(nothing[0]);

	begin(writer, count + (flat ? ATTRIBUTES : 0) + name_space + !!(offer->forms & ~IVP_FORM_FLAT), offer->version);
	for (u32 i = 0; i < count; i++)
		put_nothing(writer, nothing[i]);
	if (flat)
		put_claim(writer, down, "mmap_");
	if (name_space)
		put_flag(writer, "mmap.namespace", true);
	if (offer->forms & ~IVP_FORM_FLAT)
		put_mmap(writer, offer, false);
	end(writer);
}

static void put_size(struct ivp_writer *writer, const char *name)
{
	ivp_put_text(writer, name);
	ivp_put_list(writer, 2);
	ivp_put_int(writer, 1024);
	ivp_put_int(writer, 768);
	ivp_put_end(writer);
}

/* Without a screen of some size, and a word on files, clients stumble. */
void ivp_caps_put_server(struct ivp_writer *writer, const struct ivp_offer *offer)
{
	static const char *const sizes[] = {"max_desktop_size", "actual_desktop_size", "root_window_size"};
	const struct ivp_claim *down = offer->claim[IVP_DOWN];
	u32 count = sizeof(sizes) / sizeof(sizes[0]);

	begin(writer, count + 3 + (down ? ATTRIBUTES : 0), offer->version);
	for (u32 i = 0; i < count; i++)
		put_size(writer, sizes[i]);
	ivp_put_text(writer, "file");
	ivp_put_dict(writer, 1);
	put_flag(writer, "enabled", false);
	ivp_put_end(writer);
	put_flag(writer, "mmap_enabled", down);
	if (down)
		put_claim(writer, down, "mmap_");
	put_mmap(writer, offer, true);
	end(writer);
}

void ivp_caps_put_question(struct ivp_writer *writer, const char *version)
{
	begin(writer, 5, version);
	put_nothing(writer, "ui_client");
	put_nothing(writer, "windows");
	put_nothing(writer, "compression_level");
	ivp_put_text(writer, "request");
	ivp_put_text(writer, "info");
	put_flag(writer, "info_request", true);
	end(writer);
}
