package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the system user that the server runs as.
type account struct {
	uid, gid int
	name     string
	dropped  bool // the studio is root and the server is not
}

// serverAccount is the studio's own user, or for root an unprivileged one: PostgreSQL refuses root.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid(), name: "you"}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err := errors.Join(err1, err2); err != nil || uid == 0 {
			continue
		}
		return account{uid: uid, gid: gid, name: name, dropped: true}, nil
	}
	return account{}, errors.New("PostgreSQL refuses to run as root and there is neither a user postgres nor nobody: add one, or set DATABASE_URL")
}

// attributes makes a process run as the account, in a group of its own, so that Ctrl-C in the
// terminal reaches the studio alone, which then stops the server in order.
func (a account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if a.dropped {
		attributes.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attributes
}

// own makes dir if it does not exist, as a folder that only the account may enter.
func (a account) own(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder", dir)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if a.dropped && owner == 0 {
		if err := os.Chown(dir, a.uid, a.gid); err != nil {
			return err
		}
		owner = a.uid
	}
	if owner != a.uid {
		return fmt.Errorf("%s belongs to user %d, PostgreSQL runs as user %d: use another data folder, or run the studio as that user", dir, owner, a.uid)
	}
	if info.Mode().Perm() != 0o700 {
		return os.Chmod(dir, 0o700)
	}
	return nil
}

// reaches returns an error that names the first folder on the way to path that the account may not enter, by the permission bits. It
// follows links.
func (a account) reaches(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return err
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		status := info.Sys().(*syscall.Stat_t)
		var needed os.FileMode = 0o001
		switch {
		case int(status.Uid) == a.uid:
			needed = 0o100
		case int(status.Gid) == a.gid:
			needed = 0o010
		}
		if info.Mode().Perm()&needed == 0 {
			return fmt.Errorf("user %s cannot enter %s", a.name, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}
