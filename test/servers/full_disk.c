/*-------------------------------------------------------------------------
 * test/servers/full_disk.c
 *    a disk that is full on demand; to be preloaded into a server
 *
 * A file system of a few megabytes cannot be had without root, so its place is
 * taken by writes that fail as those on a full one do.  While the file that
 * FULL_DISK names is there, no file whose path holds the text in it grows any
 * more (ENOSPC); what lies within a file can be written, as in life.
 *-------------------------------------------------------------------------
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* whether the disk has no room for a file that is to reach this far */
static bool
is_full(int fd, off_t end)
{
	const char *flag = getenv("FULL_DISK");
	char		link[64];
	char		path[1024];
	char		text[256];
	struct stat file;
	ssize_t		length;
	int			flag_fd = flag != NULL ? open(flag, O_RDONLY | O_CLOEXEC) : -1;

	if (flag_fd < 0)
		return false;
	length = read(flag_fd, text, sizeof(text) - 1);
	close(flag_fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	text[strcspn(text, "\n")] = '\0';

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return false;
	path[length] = '\0';
	return strstr(path, text) != NULL && fstat(fd, &file) == 0 && end > file.st_size;
}

ssize_t
pwrite(int fd, const void *data, size_t size, off_t offset)
{
	ssize_t		(*real) (int, const void *, size_t, off_t);

	if (is_full(fd, offset + (off_t) size))
	{
		errno = ENOSPC;
		return -1;
	}
	*(void **) &real = dlsym(RTLD_NEXT, "pwrite");
	return real(fd, data, size, offset);
}

ssize_t
pwrite64(int fd, const void *data, size_t size, off_t offset)
{
	return pwrite(fd, data, size, offset);
}

ssize_t
pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	ssize_t		(*real) (int, const struct iovec *, int, off_t);
	off_t		end = offset;

	for (int i = 0; i < count; i++)
		end += (off_t) parts[i].iov_len;
	if (is_full(fd, end))
	{
		errno = ENOSPC;
		return -1;
	}
	*(void **) &real = dlsym(RTLD_NEXT, "pwritev");
	return real(fd, parts, count, offset);
}

ssize_t
pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
	return pwritev(fd, parts, count, offset);
}

int
posix_fallocate(int fd, off_t offset, off_t size)
{
	int			(*real) (int, off_t, off_t);

	if (is_full(fd, offset + size))
		return ENOSPC;
	*(void **) &real = dlsym(RTLD_NEXT, "posix_fallocate");
	return real(fd, offset, size);
}

int
posix_fallocate64(int fd, off_t offset, off_t size)
{
	return posix_fallocate(fd, offset, size);
}
