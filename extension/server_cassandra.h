/*-------------------------------------------------------------------------
 * extension/server_cassandra.h
 *    options of servers of userstream_cassandra and of their user mappings
 *-------------------------------------------------------------------------
 */
#ifndef US_SERVER_CASSANDRA_H
#define US_SERVER_CASSANDRA_H

#include "extension/server.h"

/* strings are those of the options; NULL = not given */
typedef struct UsCassandraServer
{
	char	   *hosts;			/* "a:9042, b" */
	const char *consistency;	/* by its CQL name */
	int			protocol;		/* 4, 5; 0 = the newest that the node has */
	bool		tls;
	char	   *ca_file;
	char	   *local_dc;
	char	   *username;
	char	   *password;
} UsCassandraServer;

/*
 * us_server_cassandra_check, us_mapping_cassandra_check -- whether these can be set
 *
 * Errors:  HV00D, HV024, 42501; statement and context hidden
 */
extern void us_server_cassandra_check(const UsOptionList *options);
extern void us_mapping_cassandra_check(const UsOptionList *options);

/* options of server and mapping together */
extern void us_server_cassandra_read(const UsOptionList *options, UsCassandraServer *server);

#endif							/* US_SERVER_CASSANDRA_H */
