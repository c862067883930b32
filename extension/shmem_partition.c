/*-------------------------------------------------------------------------
 * extension/shmem_partition.c
 *    the live picture of partitions: workers write it, views read it
 *
 * When the table is full, the views show NULL for the rest.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/shmem_internal.h"

void
us_partition_report(const UsPartitionLive *live)
{
	UsPartitionLive *entry;

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	entry = hash_search(us_shared_partitions, &live->key, HASH_ENTER_NULL, NULL);
	if (entry != NULL)
		*entry = *live;
	LWLockRelease(us_shared->lock);
}

bool
us_partition_get(Oid database, int64 stream, int32 partition, UsPartitionLive *live)
{
	UsPartitionKey key;
	const UsPartitionLive *entry;

	if (us_shared == NULL)
		return false;

	memset(&key, 0, sizeof(key));
	key.database = database;
	key.stream = stream;
	key.partition = partition;

	LWLockAcquire(us_shared->lock, LW_SHARED);
	entry = hash_search(us_shared_partitions, &key, HASH_FIND, NULL);
	if (entry != NULL)
		*live = *entry;
	LWLockRelease(us_shared->lock);

	return entry != NULL;
}

void
us_partition_forget(Oid database, int64 stream)
{
	HASH_SEQ_STATUS scan;
	UsPartitionLive *entry;

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	hash_seq_init(&scan, us_shared_partitions);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (entry->key.database == database && entry->key.stream == stream)
			hash_search(us_shared_partitions, &entry->key, HASH_REMOVE, NULL);
	}
	LWLockRelease(us_shared->lock);
}
