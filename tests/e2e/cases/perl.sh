$RUN perl -e 'use POSIX; use Socket; use IO::Handle; $| = 1;
my %h = map { $_ => $_ ** 2 } 1 .. 1000; my $s = 0; $s += $_ for values %h; print "$s\n";
my $o = `echo sub; exit 3`; print $o, $? >> 8, "\n";
pipe(my $r, my $w); if (!fork) { close $r; print $w "child\n"; exit 7 } close $w; print <$r>; wait; print $? >> 8, "\n";
$SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 5 }; print $@;
open my $f, ">", "f" or die; print $f "line $_\n" for 1 .. 10; close $f; open $f, "<", "f"; my @l = <$f>; print scalar @l, $l[-1];
print join(",", sort { $b <=> $a } 3, 11, 2), "\n"; printf "%s\n", strftime("%Y", gmtime 0); exit 9'
echo "rc $?"
