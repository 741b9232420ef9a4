/* SPDX-License-Identifier: MIT */
/*
 * The JSON form of the options: an object with the long (or one-letter) names as keys, "program" and "args". Flags are booleans,
 * "volume" and "env" are lists (env may be an object), "strace" is a boolean or a file name.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/jctl/config.h"
#include "tools/jctl/jctl.h"

#define JSON_MAX_BYTES (1024 * 1024)

/* Strings of the tree are kept for ever: the configuration points into them. */
static const char *keep(const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		abort();
	return copy;
}

static int set_scalar(struct run_config *c, const char *key, struct json_object *v,
		      const char *where)
{
	switch (json_object_get_type(v)) {
	case json_type_boolean:
		if (!config_key_is_flag(key))
			break;
		return json_object_get_boolean(v) ? config_set(c, key, NULL, where) : 0;
	case json_type_string:
	case json_type_int:
		if (config_key_is_flag(key) && strcmp(key, "strace"))
			break;
		return config_set(c, key, keep(json_object_get_string(v)), where);
	default:
		break;
	}
	return jctl_fail("see `jctl run --help` for what it takes", "%s: value of the wrong type",
			 where);
}

static int set_args(struct run_config *c, struct json_object *program, struct json_object *args)
{
	size_t n = args ? json_object_array_length(args) : 0;
	const char **argv = calloc(n + 2, sizeof(*argv));

	if (!argv)
		return jctl_fail(NULL, "out of memory");
	argv[0] = keep(json_object_get_string(program));
	for (size_t i = 0; i < n; i++) {
		struct json_object *a = json_object_array_get_idx(args, i);

		if (!json_object_is_type(a, json_type_string) &&
		    !json_object_is_type(a, json_type_int)) {
			free(argv);
			return jctl_fail("write every argument as a string",
					 "\"args\": value of the wrong type");
		}
		argv[i + 1] = keep(json_object_get_string(a));
	}
	c->argv = argv;
	c->argc = (unsigned)n + 1;
	return 0;
}

static int set_list(struct run_config *c, const char *key, struct json_object *v, const char *where)
{
	if (json_object_is_type(v, json_type_object)) {
		json_object_object_foreach(v, name, value)
		{
			char *pair;

			if (asprintf(&pair, "%s=%s", name,
				     value ? json_object_get_string(value) : "") < 0)
				return jctl_fail(NULL, "out of memory");
			if (config_set(c, key, pair, where))
				return -1;
		}
		return 0;
	}
	for (size_t i = 0; i < json_object_array_length(v); i++)
		if (set_scalar(c, key, json_object_array_get_idx(v, i), where))
			return -1;
	return 0;
}

static int apply(struct run_config *c, struct json_object *top, const char *path)
{
	struct json_object *program = NULL, *args = NULL;

	json_object_object_foreach(top, key, v)
	{
		bool is_env = !strcmp(key, "env") || !strcmp(key, "e");
		bool is_list = is_env || !strcmp(key, "volume") || !strcmp(key, "v");
		char where[320];

		snprintf(where, sizeof(where), "%.200s: \"%.64s\"", path, key);
		if (!strcmp(key, "program") && json_object_is_type(v, json_type_string)) {
			program = v;
		} else if (!strcmp(key, "args") && json_object_is_type(v, json_type_array)) {
			args = v;
		} else if (!config_key_exists(key)) {
			return jctl_fail("`jctl run --help` lists the names; program and args are "
					 "the others",
					 "%s is not an option", where);
		} else if ((is_list && json_object_is_type(v, json_type_array)) ||
			   (is_env && json_object_is_type(v, json_type_object))) {
			if (set_list(c, key, v, where))
				return -1;
		} else if (set_scalar(c, key, v, where)) {
			return -1;
		}
	}
	if (args && !program)
		return jctl_fail("add \"program\"", "%s: \"args\" without \"program\"", path);
	return program ? set_args(c, program, args) : 0;
}

static int read_whole(const char *path, char **out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *buf;
	ssize_t n, used = 0;

	if (fd < 0)
		return jctl_fail_errno(errno, "name a readable JSON file", "--config %s", path);
	buf = malloc(JSON_MAX_BYTES + 1);
	if (!buf) {
		close(fd);
		return jctl_fail(NULL, "out of memory");
	}
	while ((n = read(fd, buf + used, (size_t)(JSON_MAX_BYTES + 1 - used))) > 0)
		used += n;
	if (n < 0 || used > JSON_MAX_BYTES) {
		int err = n < 0 ? errno : EFBIG;

		close(fd);
		free(buf);
		return jctl_fail_errno(err, "name a JSON file of at most 1 MiB", "--config %s",
				       path);
	}
	close(fd);
	buf[used] = 0;
	*out = buf;
	return 0;
}

int config_load_json(struct run_config *c, const char *path)
{
	enum json_tokener_error err;
	struct json_object *top;
	char *text = NULL;
	int r;

	if (read_whole(path, &text))
		return -1;
	top = json_tokener_parse_verbose(text, &err);
	free(text);
	if (!top)
		return jctl_fail("check it with `python3 -m json.tool`",
				 "--config %s: not JSON: %s", path, json_tokener_error_desc(err));
	if (json_object_is_type(top, json_type_object))
		r = apply(c, top, path);
	else
		r = jctl_fail("put the options into { }", "--config %s: not a JSON object", path);
	json_object_put(top);
	return r;
}
