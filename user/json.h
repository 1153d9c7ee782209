/* SPDX-License-Identifier: MIT */
/* json: writes one JSON document, a member at a time. Keys are the caller's own words and not escaped. */
#ifndef IVP_JSON_H
#define IVP_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define IVP_JSON_DEPTH 16

struct ivp_json {
	FILE *out;
	int depth;
	bool filled[IVP_JSON_DEPTH]; /* something stands in this object or list already */
	char closing[IVP_JSON_DEPTH];
};

/* key is NULL in a list, and for the outermost object. Each object and list is ended; the outermost with a newline. */
void ivp_json_object(struct ivp_json *json, const char *key);
void ivp_json_list(struct ivp_json *json, const char *key);
void ivp_json_end(struct ivp_json *json);

/* Bytes that are no UTF-8 become U+FFFD. */
void ivp_json_string(struct ivp_json *json, const char *key, const char *value);
void ivp_json_number(struct ivp_json *json, const char *key, uint64_t value);
/* Finite. */
void ivp_json_real(struct ivp_json *json, const char *key, double value);
void ivp_json_bool(struct ivp_json *json, const char *key, bool value);
/* As a string, for random 64-bit numbers, of which readers that know only doubles would lose the end. */
void ivp_json_hex(struct ivp_json *json, const char *key, uint64_t value);

#endif
