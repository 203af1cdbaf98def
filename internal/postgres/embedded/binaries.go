package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
)

// MinMajor is the oldest PostgreSQL the studio runs on.
const MinMajor = 15

// ErrNoServer is returned where no usable PostgreSQL is found. The error that wraps it says how to get one.
var ErrNoServer = errors.New("no PostgreSQL server")

// binaries are one installation's programs.
type binaries struct {
	dir   string // holds initdb and postgres
	major int    // 15, 16, …
	npm   string // the npm package's folder, "" for an installed server
}

func (b binaries) initdb() string   { return filepath.Join(b.dir, "initdb") }
func (b binaries) postgres() string { return filepath.Join(b.dir, "postgres") }

// findBinaries returns the installation to use: the given folder's, else the first of the installed
// ones and the npm package's that is new enough. Where data of one major version exists (wanted > 0), only that version can
// read it, so an installation of it is preferred to all others.
func findBinaries(ctx context.Context, given string, wanted int) (binaries, error) {
	if given != "" {
		b := binaries{dir: filepath.Clean(given)}
		if npm := filepath.Join(b.dir, "..", ".."); isNPM(npm) {
			b.npm = npm // whose links may be missing
		}
		b, err := inspect(ctx, b)
		if err != nil {
			return binaries{}, fmt.Errorf("%w in %s: %w", ErrNoServer, given, err)
		}
		if b.major < MinMajor {
			return binaries{}, fmt.Errorf("%w new enough: %s is PostgreSQL %d, the studio needs %d or later", ErrNoServer, given, b.major, MinMajor)
		}
		return b, nil
	}
	var first *binaries
	var refused error
	for _, candidate := range candidates() {
		b, err := inspect(ctx, candidate)
		if err != nil {
			continue
		}
		if b.major < MinMajor {
			refused = errors.Join(refused, fmt.Errorf("%s is PostgreSQL %d, %d or later is needed", b.dir, b.major, MinMajor))
			continue
		}
		if wanted == 0 || b.major == wanted {
			return b, nil
		}
		if first == nil {
			first = &b
		}
	}
	if first != nil {
		return *first, nil
	}
	remedy := fmt.Errorf(`run "npm install --ignore-scripts" in the studio's folder, install PostgreSQL %d or later, set STUDIO_PG_BIN to the folder of its programs, or set DATABASE_URL to a server's address`, MinMajor)
	return binaries{}, fmt.Errorf("%w for %s/%s: %w", ErrNoServer, runtime.GOOS, runtime.GOARCH, errors.Join(remedy, refused))
}

// candidates lists places where binaries may be, the most wanted first: installed servers before the
// npm package, newer ones before older ones.
func candidates() []binaries {
	var found []binaries
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
	} {
		dirs, _ := filepath.Glob(pattern) // the patterns are well formed
		slices.SortFunc(dirs, func(a, b string) int { return trailingNumber(b) - trailingNumber(a) })
		for _, dir := range dirs {
			found = append(found, binaries{dir: dir})
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			found = append(found, binaries{dir: filepath.Dir(path)})
		}
	}
	return append(found, npmCandidates()...)
}

var (
	numberPattern  = regexp.MustCompile(`\d+`)
	versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)
)

func trailingNumber(path string) int {
	numbers := numberPattern.FindAllString(path, -1)
	if len(numbers) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(numbers[len(numbers)-1])
	return n
}

// inspect asks postgres for its version and checks that initdb is there too.
func inspect(ctx context.Context, b binaries) (binaries, error) {
	if _, err := os.Stat(b.initdb()); err != nil {
		return b, err
	}
	if b.npm != "" {
		var err error
		if b.major, err = npmMajor(b.npm); err != nil {
			return b, err
		}
		_, err = os.Stat(b.postgres())
		return b, err
	}
	out, err := exec.CommandContext(ctx, b.postgres(), "--version").Output()
	if err != nil {
		return b, fmt.Errorf("asking %s for its version: %w", b.postgres(), err)
	}
	match := versionPattern.FindSubmatch(out)
	if match == nil {
		return b, fmt.Errorf("%s does not say which PostgreSQL it is: %q", b.postgres(), out)
	}
	b.major, err = strconv.Atoi(string(match[1]))
	return b, err
}
