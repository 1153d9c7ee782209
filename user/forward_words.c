// SPDX-License-Identifier: MIT
/* forward_words: what a user says of ports and targets, as ssh -L and -R have it, becomes addresses of one form. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "forward.h"

static bool digits(const char *text, size_t len)
{
	return len && strspn(text, "0123456789") >= len;
}

/* Up to the next colon; what stands in brackets has colons of its own. */
static size_t token(const char *text)
{
	const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;

	return bracket ? (size_t)(bracket - text) + 1 : strcspn(text, ":");
}

static size_t two_tokens(const char *text)
{
	size_t first = token(text);

	return text[first] == ':' ? first + 1 + token(text + first + 1) : first;
}

/* The address in front, canonical; how much of the text it took, 0 if there is none. */
static size_t parse_address(const char *text, bool last, char to[IVP_FORWARD_ADDRESS])
{
	const char *rest = text;
	const char *kind = "tcp:", *host = "";
	struct ivp_endpoint endpoint;
	size_t len;

	if (!strncmp(rest, "unix:", 5) || strchr("/.", rest[0])) {
		kind = "unix:";
		rest += rest[0] == 'u' ? 5 : 0;
		len = last ? strlen(rest) : token(rest);
	} else if (!strncmp(rest, "vsock:", 6)) {
		kind = "vsock:";
		rest += 6;
		len = two_tokens(rest);
	} else {
		rest += !strncmp(rest, "tcp:", 4) ? 4 : 0;
		len = digits(rest, token(rest)) ? token(rest) : two_tokens(rest);
		/* One listens in one place, and a target may be in either. */
		host = !digits(rest, token(rest)) ? "" : last ? "localhost:" : "127.0.0.1:";
	}
	if (!len || strlen(kind) + strlen(host) + len >= IVP_FORWARD_ADDRESS)
		return 0;
	/* Every address of this machine, in ssh's words. */
	snprintf(to, IVP_FORWARD_ADDRESS, "%s%s%.*s", kind, host, (int)(len - (rest[0] == '*')),
		 rest + (rest[0] == '*'));
	return ivp_endpoint_parse(&endpoint, to, NULL) ? 0 : (size_t)(rest - text) + len;
}

static int refuse(const struct ivp_cli *cli, const char *option, const char *text, const char *wanted)
{
	ivp_log_error("%s: %s%s: give %s", cli->verb_name, option, text, wanted);
	return IVP_FAIL_USAGE;
}

/* Two addresses with a colon between them, or the first alone, where that will do. */
static bool parse_pair(const char *text, char first[IVP_FORWARD_ADDRESS], char second[IVP_FORWARD_ADDRESS])
{
	size_t used = parse_address(text, false, first);

	second[0] = '\0';
	if (!used || !text[used])
		return used;
	return text[used] == ':' && text[used + 1] &&
	       parse_address(text + used + 1, true, second) == strlen(text + used + 1);
}

static int too_many(const struct ivp_cli *cli)
{
	ivp_log_error("%s: more than %d of a kind: start another one, with --service", cli->verb_name,
		      IVP_FORWARD_RULES);
	return IVP_FAIL_USAGE;
}

static struct ivp_forward_port *next_port(struct ivp_forward *forward)
{
	struct ivp_forward_port *port = &forward->ports[forward->port_count++];

	port->fd = -1;
	return port;
}

/* An operand of who listens is a target, and of who calls a port. */
static int take_operand(struct ivp_forward *forward, const char *text)
{
	struct ivp_forward_target *target = &forward->targets[forward->target_count];
	struct ivp_forward_port *port;

	if (!forward->cli->listen) {
		port = next_port(forward);
		return parse_pair(text, port->listen, port->target)
			       ? 0
			       : refuse(forward->cli, "", text, "[HOST:]PORT:HOST:PORT, with a path for a socket");
	}
	forward->target_count++;
	if (parse_address(text, true, target->address) != strlen(text))
		return refuse(forward->cli, "", text, "HOST:PORT, a path, or vsock:CID:PORT");
	memcpy(target->name, target->address, sizeof(target->name));
	return 0;
}

/* Who calls asks for a port there and says what it leads to here; who listens says what may be asked for. */
static int take_remote(struct ivp_forward *forward, const char *text)
{
	char listen[IVP_FORWARD_ADDRESS], address[IVP_FORWARD_ADDRESS];
	struct ivp_forward_target *target;

	if (!parse_pair(text, listen, address) || !address[0] != forward->cli->listen)
		return refuse(forward->cli, "-R ", text,
			      forward->cli->listen ? "[HOST:]PORT or a path, which the other side may listen on here"
						   : "[HOST:]PORT:HOST:PORT, with a path for a socket");
	if (forward->cli->listen) {
		memcpy(next_port(forward)->listen, listen, sizeof(listen));
		return 0;
	}
	target = &forward->targets[forward->target_count++];
	memcpy(target->name, listen, sizeof(listen));
	memcpy(target->address, address, sizeof(address));
	return 0;
}

int ivp_forward_parse(struct ivp_forward *forward)
{
	const struct ivp_cli *cli = forward->cli;
	int code = 0;

	if (!cli->operands && !cli->remotes)
		return refuse(cli, "", "nothing to forward",
			      cli->listen ? "HOST:PORT, which the other side may reach" : "PORT:HOST:PORT");
	if (cli->operands > IVP_FORWARD_RULES)
		return too_many(cli);
	for (int i = 0; i < cli->operands && !code; i++)
		code = take_operand(forward, cli->operand[i]);
	for (int i = 0; i < cli->remotes && !code; i++)
		code = take_remote(forward, cli->remote[i]);
	return code;
}
