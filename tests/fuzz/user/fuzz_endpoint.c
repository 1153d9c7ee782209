// SPDX-License-Identifier: MIT
/* What users call a control connection: what is taken has to mean what it says. */
#include "endpoint.h"
#include "fuzz.h"

/* Is it `number` in decimal, whatever zeros are in front? Moves on behind it. */
static bool take_number(const char **text, u64 number)
{
	size_t len = strspn(*text, "0123456789");
	char wanted[24];
	const char *at = *text;

	*text += len;
	for (; len > 1 && *at == '0'; len--)
		at++;
	return len && (size_t)snprintf(wanted, sizeof(wanted), "%llu", (unsigned long long)number) == len &&
	       !memcmp(wanted, at, len);
}

static bool take_word(const char **text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*text, word, len))
		return false;
	*text += len;
	return true;
}

static bool means_vsock(const struct ivp_endpoint *endpoint, const char *rest)
{
	bool named = (endpoint->cid == 2 && take_word(&rest, "host")) ||
		     (endpoint->cid == 1 && take_word(&rest, "local")) ||
		     (endpoint->cid == 0xffffffff && take_word(&rest, "any"));

	if (!named && (endpoint->cid == 0xffffffff || !take_number(&rest, endpoint->cid)))
		return false;
	return take_word(&rest, ":") && endpoint->port != 0xffffffff && take_number(&rest, endpoint->port) && !*rest;
}

static bool means_tcp(const struct ivp_endpoint *endpoint, const char *rest)
{
	bool bracket = *rest == '[';

	if (!memchr(endpoint->host, 0, sizeof(endpoint->host)) || strpbrk(endpoint->host, "[]"))
		return false;
	if (bracket ? !endpoint->host[0] : !!strchr(endpoint->host, ':'))
		return false;
	rest += bracket;
	return take_word(&rest, endpoint->host) && (!bracket || take_word(&rest, "]")) && take_word(&rest, ":") &&
	       endpoint->port >= 1 && endpoint->port <= 65535 && take_number(&rest, endpoint->port) && !*rest;
}

static bool means_fd(const struct ivp_endpoint *endpoint, const char *rest)
{
	bool two = strchr(rest, ',');

	if (endpoint->in < 0 || endpoint->in > 1 << 20 || endpoint->out < 0 || endpoint->out > 1 << 20)
		return false;
	if (!take_number(&rest, (u64)endpoint->in))
		return false;
	return two ? take_word(&rest, ",") && take_number(&rest, (u64)endpoint->out) && !*rest
		   : endpoint->out == endpoint->in && !*rest;
}

static bool means(const struct ivp_endpoint *endpoint, const char *spec)
{
	static const char *const prefixes[] = {"unix:", "vsock:", "tcp:", "serial:", "fd:", "exec:"};

	if (!take_word(&spec, prefixes[endpoint->kind]) || endpoint->rest != spec || !*spec)
		return false;
	switch (endpoint->kind) {
	case IVP_ENDPOINT_UNIX:
		return strlen(spec) <= 107;
	case IVP_ENDPOINT_VSOCK:
		return means_vsock(endpoint, spec);
	case IVP_ENDPOINT_TCP:
		return means_tcp(endpoint, spec);
	case IVP_ENDPOINT_FD:
		return means_fd(endpoint, spec);
	default:
		return true;
	}
}

static void look(const char *text)
{
	struct ivp_endpoint endpoint;
	struct ivp_error err;
	int ret;

	memset(&err, 0xff, sizeof(err));
	ret = ivp_endpoint_parse(&endpoint, text, &err);
	require(ret == 0 || ret == -EINVAL);
	require(ivp_endpoint_parse(&endpoint, text, NULL) == ret);
	if (!ret)
		require(means(&endpoint, text) && endpoint.spec == text);
	else
		require(err.kind == IVP_FAIL_USAGE && err.number == ret && memchr(err.text, 0, sizeof(err.text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = {bytes, size};

	do {
		char *text = input_text(&input);

		look(text);
		free(text);
	} while (input.left);
	return 0;
}
