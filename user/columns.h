/* SPDX-License-Identifier: MIT */
/* columns: what can be said of each region of a survey, in words for a table, and in JSON. */
#ifndef IVP_COLUMNS_H
#define IVP_COLUMNS_H

#include "json.h"
#include "survey.h"
#include "table.h"

/* A region of the survey. */
struct ivp_place {
	const struct ivp_survey *survey;
	size_t number;
};

/* The longest list of names in a cell; what is beyond it is cut. */
#define IVP_COLUMN_TEXT 512

struct ivp_column {
	const char *name;
	int flags; /* IVP_TABLE_ */
	enum {
		IVP_COLUMN_ALWAYS, /* in the table unless others are asked for */
		IVP_COLUMN_FILLED, /* there if a region has something in it */
		IVP_COLUMN_ASKED,  /* only if asked for */
	} shown;
	/* "" where it does not apply. raw: sizes are numbers of bytes. */
	void (*text)(const struct ivp_place *place, bool raw, char text[IVP_COLUMN_TEXT]);
	/* The members of the region's object; several columns may share them. */
	void (*json)(const struct ivp_place *place, struct ivp_json *json);
};

extern const struct ivp_column ivp_columns[];
extern const size_t ivp_column_count;

/* One of them, by its name in any case; NULL. */
const struct ivp_column *ivp_columns_find(const char *name, size_t len);

#endif
