#
# test/soak/050_memory.pl
#    test/t/174_memory.pl with a million bad messages, and 1.2 GB of large ones
#
use strict;
use warnings;

$ENV{MEMORY_BAD} //= 1_000_000;
$ENV{MEMORY_LARGE} //= 60;
exec $^X, "$ENV{USERSTREAM_SRC}/test/t/174_memory.pl" or die "174_memory.pl: $!\n";
