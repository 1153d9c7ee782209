// SPDX-License-Identifier: GPL-2.0-only
/* Calls in a row: made up, or made from one that once reached something new. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define MOST_KEPT 4096
#define NODES     4

static struct program *kept;
static u32 count;

/* The last kind is fork, which costs as much as all the others of a program: seldom. */
static void make_call(struct call *c)
{
	c->kind = values_below(values_below(4) ? kinds_count - 1 : kinds_count);
	for (u32 i = 0; i < MOST_ARGS; i++)
		c->arg[i] = values_of(kinds[c->kind].args[i]);
}

static void make_call_of(struct call *c, const char *name)
{
	do
		make_call(c);
	while (strcmp(kinds[c->kind].name, name));
}

/* Without a file and a mapping of it not much happens. */
static void make(struct program *p)
{
	p->count = 3 + values_below(10);
	for (u32 i = 0; i < p->count; i++)
		make_call(&p->calls[i]);
	make_call_of(&p->calls[0], "open");
	if (values_below(2))
		make_call_of(&p->calls[1], "mmap");
}

static void add_first(struct program *p, u32 kind)
{
	struct call *c = &p->calls[p->count++];

	c->kind = kind;
	for (u32 i = 0; i < MOST_ARGS; i++)
		c->arg[i] = values_first(kinds[kind].args[i]);
}

static struct call *add_named(struct program *p, const char *name)
{
	for (u32 kind = 0; kind < kinds_count; kind++)
		if (!strcmp(kinds[kind].name, name))
			add_first(p, kind);
	return &p->calls[p->count - 1];
}

/* With numbers that work, on a word that is 1. */
bool programs_tour(struct program *p, u32 number)
{
	if (number >= kinds_count * NODES)
		return false;
	p->count = 0;
	add_named(p, "open")->arg[1] = number % NODES;
	add_named(p, "set_word")->arg[2] = 1;
	add_named(p, "mmap");
	add_first(p, number / NODES);
	return true;
}

static void insert(struct program *p)
{
	u32 at = values_below(p->count + 1);

	if (p->count == MOST_CALLS)
		return;
	memmove(&p->calls[at + 1], &p->calls[at], (p->count - at) * sizeof(p->calls[0]));
	make_call(&p->calls[at]);
	p->count++;
}

static void drop(struct program *p)
{
	u32 at = values_below(p->count);

	if (p->count == 1)
		return;
	p->count--;
	memmove(&p->calls[at], &p->calls[at + 1], (p->count - at) * sizeof(p->calls[0]));
}

static void change(struct program *p)
{
	struct call *c = &p->calls[values_below(p->count)];
	u32 i = values_below(MOST_ARGS);

	if (values_below(4))
		c->arg[i] = values_of(kinds[c->kind].args[i]);
	else
		c->arg[i] ^= 1ull << values_below(64);
}

static void repeat(struct program *p)
{
	u32 at = values_below(p->count);

	if (p->count < MOST_CALLS)
		p->calls[p->count++] = p->calls[at];
}

/* The end of another one behind the beginning of this one. */
static void cross(struct program *p)
{
	const struct program *other = &kept[values_below(count)];
	u32 n = values_below(p->count) + 1;

	for (u32 i = values_below(other->count); i < other->count && n < MOST_CALLS; i++)
		p->calls[n++] = other->calls[i];
	p->count = n;
}

void programs_next(struct program *p)
{
	static void (*const mutations[])(struct program *) = {insert, insert, drop,   change,
							      change, change, repeat, cross};

	if (!count || !values_below(8)) {
		make(p);
		return;
	}
	/* Half of the time one of the latest. */
	u32 newest = count < 32 ? count : 32;

	*p = kept[values_below(2) ? values_below(count) : count - 1 - values_below(newest)];
	for (u32 n = 1 + values_below(4); n; n--)
		mutations[values_below(sizeof(mutations) / sizeof(mutations[0]))](p);
}

void programs_keep(const struct program *p)
{
	if (!kept)
		kept = calloc(MOST_KEPT, sizeof(*kept));
	if (!kept)
		bail("calloc");
	kept[count < MOST_KEPT ? count++ : values_below(count)] = *p;
}

u32 programs_kept(void)
{
	return count;
}

/* One call a line; at most size bytes, of which the last is NUL. */
size_t programs_print(const struct program *p, char *text, size_t size)
{
	size_t n = 0;

	for (u32 i = 0; i < p->count; i++) {
		const struct kind *kind = &kinds[p->calls[i].kind];

		n += (size_t)snprintf(text + n, size - n, "%s(", kind->name);
		for (u32 k = 0; k < MOST_ARGS && kind->args[k] != NONE && n < size; k++)
			n += (size_t)snprintf(text + n, size - n, "%s%#llx", k ? ", " : "",
					      (unsigned long long)p->calls[i].arg[k]);
		if (n < size)
			n += (size_t)snprintf(text + n, size - n, ")\n");
		if (n >= size)
			return size - 1;
	}
	return n;
}
