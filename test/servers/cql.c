/*-------------------------------------------------------------------------
 * test/servers/cql.c
 *    sends CQL statements to a server and prints what comes back
 *
 * usage: cql [-V 4|5] [-C CERTIFICATES] [-u USER -f FILE] [-t SECONDS] [-p ROWS]
 *            ADDRESS STATEMENT ...
 *        CERTIFICATES  by TLS, trusting those of this file
 *        FILE    holds the password on its first line
 *        SECONDS to try to connect (default 0: once)
 *        ROWS    of a page (default 1000)
 *
 * A row is a line, its columns are separated by tabs, null is \N.  Nothing is
 * escaped.  Warnings and errors go to stderr, and an error ends with 1.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test/servers/cql_client.h"

static char password[256];

static void
read_password(const char *path)
{
	FILE	   *file = fopen(path, "r");

	if (file == NULL || fgets(password, sizeof(password), file) == NULL)
	{
		fprintf(stderr, "cql: no password in %s\n", path);
		exit(1);
	}
	password[strcspn(password, "\n")] = '\0';
	fclose(file);
}

static void
print_rows(UsCqlResponse *response)
{
	int			ncolumns = response->result.ncolumns;
	UsCqlBytes *cells = calloc((size_t) ncolumns + 1, sizeof(UsCqlBytes));
	UsCqlWriter line;

	us_cql_writer_init(&line, NULL, 0);
	for (int row = 0; row < response->nrows; row++)
	{
		us_cql_writer_reset(&line);
		if (us_cql_next_row(response, cells) != US_CQL_OK)
			break;
		for (int i = 0; i < ncolumns; i++)
		{
			if (i > 0)
				us_cql_put_u8(&line, '\t');
			if (cells[i].data == NULL)
				us_cql_put_raw(&line, "\\N", 2);
			else if (!us_cql_put_text(&line, &response->result.columns[i].type, cells[i]))
				us_cql_put_raw(&line, "?", 1);
		}
		us_cql_put_u8(&line, '\n');
		fwrite(line.data, 1, line.len, stdout);
	}
	us_cql_writer_free(&line);
	free(cells);
}

static void
print_warnings(const UsCqlResponse *response)
{
	UsCqlReader reader;

	us_cql_reader_init(&reader, response->warnings.data, response->warnings.len);
	for (int i = 0; i < response->nwarnings; i++)
	{
		UsCqlBytes	warning = us_cql_get_string(&reader);

		fprintf(stderr, "warning: %.*s\n", (int) warning.len, warning.data);
	}
}

/* all pages of one statement; false = an error */
static bool
run(CqlClient *client, const char *query, int page_size)
{
	UsCqlRequest request = {.query = query, .query_len = strlen(query), .consistency = US_CQL_ONE,
	.page_size = page_size};
	uint8_t    *state = NULL;
	bool		more = true;

	while (more)
	{
		UsCqlResponse *response = cql_ask(client, &request);

		print_warnings(response);
		if (response->opcode == US_CQL_ERROR)
		{
			fprintf(stderr, "error: %s: %.*s\n", us_cql_error_name(response->error.code),
					(int) response->error.message.len, response->error.message.data);
			free(state);
			return false;
		}
		if (response->kind == US_CQL_ROWS)
			print_rows(response);
		more = response->result.paging_state.data != NULL;
		if (more)
		{
			/* the answer's bytes go with the next one */
			request.paging_state.len = response->result.paging_state.len;
			free(state);
			state = malloc(request.paging_state.len + 1);
			memcpy(state, response->result.paging_state.data, request.paging_state.len);
			request.paging_state.data = state;
		}
	}
	free(state);
	return true;
}

int
main(int argc, char **argv)
{
	UsCqlConfig config = {.driver_name = "userstream"};
	CqlClient	client;
	const char *ca_file = NULL;
	int			seconds = 0;
	int			page_size = 1000;
	int			option;
	int			code = 0;

	while ((option = getopt(argc, argv, "V:C:u:f:t:p:")) != -1)
	{
		if (option == 'V')
			config.version = atoi(optarg);
		else if (option == 'C')
			ca_file = optarg;
		else if (option == 'u')
			config.username = optarg;
		else if (option == 'f')
			read_password(optarg);
		else if (option == 't')
			seconds = atoi(optarg);
		else if (option == 'p')
			page_size = atoi(optarg);
		else
			return 2;
	}
	if (argc - optind < 1)
	{
		fprintf(stderr, "usage: cql [-V 4|5] [-C CERTIFICATES] [-u USER -f FILE] [-t SECONDS] [-p ROWS] ADDRESS STATEMENT ...\n");
		return 2;
	}
	config.password = password;
	client = cql_connect(argv[optind], &config, ca_file, seconds);
	for (int i = optind + 1; i < argc && code == 0; i++)
		code = run(&client, argv[i], page_size) ? 0 : 1;
	cql_close(&client);
	return code;
}
