// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "doctor.h"
#include "json.h"

static void finding_json(struct ivp_json *json, const struct ivp_finding *finding)
{
	ivp_json_object(json, NULL);
	ivp_json_number(json, "number", (uint64_t)finding->check->number);
	ivp_json_string(json, "title", finding->check->title);
	ivp_json_string(json, "subject", finding->subject);
	ivp_json_string(json, "evidence", finding->evidence);
	ivp_json_string(json, "remedy", finding->remedy);
	ivp_json_bool(json, "fixable", finding->mend != IVP_MEND_TELL);
	ivp_json_number(json, "exit_code", (uint64_t)finding->code);
	ivp_json_end(json);
}

static void region_json(struct ivp_json *json, const struct ivp_found *region, const struct ivp_speed *speed)
{
	ivp_json_object(json, NULL);
	ivp_json_string(json, "path", region->path);
	ivp_json_string(json, "slot", region->slot);
	ivp_json_number(json, "size", region->size);
	ivp_json_string(json, "cache", region->cache);
	if (speed->read)
		ivp_json_number(json, "read", speed->read);
	if (speed->write)
		ivp_json_number(json, "write", speed->write);
	if (speed->private)
		ivp_json_number(json, "private", speed->private);
	ivp_json_end(json);
}

static void show_json(const struct ivp_doctor *doctor)
{
	struct ivp_json json = {.out = stdout};

	ivp_json_object(&json, NULL);
	ivp_json_number(&json, "exit_code", (uint64_t)ivp_doctor_code(doctor));
	ivp_json_list(&json, "findings");
	for (size_t i = 0; i < doctor->count; i++)
		finding_json(&json, &doctor->findings[i]);
	ivp_json_end(&json);
	ivp_json_list(&json, "regions");
	for (size_t i = 0; i < doctor->region_count; i++)
		region_json(&json, &doctor->regions[i], &doctor->speeds[i]);
	ivp_json_end(&json);
	ivp_json_string(&json, "not_looked_at", doctor->unseen);
	ivp_json_end(&json);
}

static void show_finding(const struct ivp_finding *finding)
{
	char subject[sizeof(finding->subject)], evidence[IVP_TEXT_MAX], remedy[IVP_TEXT_MAX];

	ivp_log_clean(subject, sizeof(subject), finding->subject, '?');
	ivp_log_clean(evidence, sizeof(evidence), finding->evidence, '?');
	ivp_log_clean(remedy, sizeof(remedy), finding->remedy, '?');
	printf("[%d] %s%s: %s\n     seen:  %s\n     to do: %s%s\n", finding->check->number,
	       finding->code ? "" : "note: ", subject, finding->check->title, evidence, remedy,
	       finding->mend != IVP_MEND_TELL ? "   (--fix)" : "");
}

static void show_region(const struct ivp_found *region, const struct ivp_speed *speed)
{
	char path[sizeof(region->path)], size[IVP_SIZE_TEXT];

	ivp_log_clean(path, sizeof(path), region->path, '?');
	printf("%s: %s, %s", path, ivp_options_size_text(size, region->size), region->cache[0] ? region->cache : "-");
	if (speed->read)
		printf(", reads %" PRIu64 " MB/s", speed->read / 1000000);
	if (speed->write)
		printf(", writes %" PRIu64 " MB/s", speed->write / 1000000);
	if (speed->private)
		printf(" (private memory %" PRIu64 " MB/s)", speed->private / 1000000);
	putchar('\n');
}

/* Of a healthy machine there is one line. */
static void show_healthy(const struct ivp_doctor *doctor)
{
	char path[sizeof(doctor->regions->path)];

	printf("healthy: ");
	for (size_t i = 0; i < doctor->region_count; i++) {
		ivp_log_clean(path, sizeof(path), doctor->regions[i].path, '?');
		printf("%s%s", i ? ", " : "", path);
	}
	if (doctor->count)
		printf("; %zu note%s: -v", doctor->count, doctor->count > 1 ? "s" : "");
	if (doctor->unseen[0])
		printf("; not looked at, as that takes root: %s", doctor->unseen);
	putchar('\n');
}

static void show(const struct ivp_cli *cli, const struct ivp_doctor *doctor)
{
	if (!cli->verbose && !ivp_doctor_code(doctor)) {
		show_healthy(doctor);
		return;
	}
	for (size_t i = 0; i < doctor->count; i++)
		if (cli->verbose || doctor->findings[i].code)
			show_finding(&doctor->findings[i]);
	for (size_t i = 0; cli->verbose && i < doctor->region_count; i++)
		show_region(&doctor->regions[i], &doctor->speeds[i]);
	if (doctor->unseen[0])
		printf("not looked at, as that takes root: %s\n", doctor->unseen);
}

static bool ask(const struct ivp_cli *cli, const struct ivp_finding *finding)
{
	char answer[16], remedy[IVP_TEXT_MAX];

	ivp_log_clean(remedy, sizeof(remedy), finding->remedy, '?');
	fprintf(stderr, "[%d] %s%s", finding->check->number, remedy, cli->yes ? "\n" : "   do it? [y/N] ");
	if (cli->yes)
		return true;
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Remedies that were tried, or that the user did not want: once is enough. */
static char tried[IVP_FINDINGS][IVP_TEXT_MAX];
static size_t tried_count;

static bool is_new(const struct ivp_finding *finding)
{
	for (size_t i = 0; i < tried_count; i++)
		if (!strcmp(tried[i], finding->remedy))
			return false;
	return tried_count < IVP_FINDINGS;
}

static bool try_one(const struct ivp_cli *cli, const struct ivp_finding *finding)
{
	int ret;

	snprintf(tried[tried_count++], IVP_TEXT_MAX, "%s", finding->remedy);
	if (!ask(cli, finding))
		return false;
	ret = ivp_doctor_mend(finding);
	if (ret)
		ivp_log_error("doctor: [%d] %s%s", finding->check->number, strerror(-ret),
			      (ret == -EPERM || ret == -EACCES || ret == -EIO) && geteuid()
				      ? ": as root: sudo ivpipe doctor --fix"
				      : "");
	return !ret;
}

/* The first that can be. True: something is otherwise now. */
static bool mend_one(const struct ivp_cli *cli, const struct ivp_doctor *doctor)
{
	for (size_t i = 0; i < doctor->count; i++)
		if (doctor->findings[i].mend != IVP_MEND_TELL && doctor->findings[i].code &&
		    is_new(&doctor->findings[i]) && try_one(cli, &doctor->findings[i]))
			return true;
	return false;
}

static int run(struct ivp_cli *cli, struct ivp_doctor *doctor, struct ivp_error *err)
{
	const char *wanted = cli->argument ? cli->argument : cli->region;

	memset(doctor, 0, sizeof(*doctor));
	doctor->root = "";
	doctor->wanted = wanted && *wanted && strcmp(wanted, "auto") ? wanted : NULL;
	return ivp_doctor_run(doctor, err);
}

/* After each remedy everything is looked at anew: it may have done for several findings, and led to others. */
static int run_and_mend(struct ivp_cli *cli, struct ivp_doctor *doctor, struct ivp_error *err)
{
	int ret = run(cli, doctor, err);

	while (!ret && cli->fix && mend_one(cli, doctor)) {
		ivp_doctor_free(doctor);
		ret = run(cli, doctor, err);
	}
	return ret;
}

static int examine(struct ivp_cli *cli, struct ivp_doctor *doctor)
{
	struct ivp_error err = {0};
	int code;

	if (run_and_mend(cli, doctor, &err))
		return ivp_cli_failed(cli, &err);
	code = (int)ivp_doctor_code(doctor);
	if (cli->json)
		show_json(doctor);
	else if (!cli->quiet || code)
		show(cli, doctor);
	return code;
}

int ivp_cmd_doctor(struct ivp_cli *cli)
{
	struct ivp_doctor *doctor;
	int code;

	if (cli->fix && !cli->yes && !isatty(STDIN_FILENO)) {
		ivp_log_error("doctor: --fix asks before it does anything: here is no terminal: add --yes");
		return IVP_FAIL_USAGE;
	}
	doctor = malloc(sizeof(*doctor));
	if (!doctor) {
		ivp_log_error("doctor: no memory");
		return IVP_FAIL_GENERAL;
	}
	code = examine(cli, doctor);
	ivp_doctor_free(doctor);
	free(doctor);
	return code;
}
