package postgres

import (
	"strings"
	"testing"
)

// If a character of the password ends the address too early, the error says what to write in its place. No part of the password is
// shown or sent to a name server.
func TestAddressesWithOddPasswords(t *testing.T) {
	t.Parallel()
	for dsn, c := range map[string]struct {
		secrets []string
		want    []string
	}{
		"postgres://studio:k3J/9sD+fQ1w==@127.0.0.1:5999/studio?sslmode=disable": {[]string{"k3J", "9sD", "fQ1w"}, []string{"the password has a /: write %2F"}},
		"postgres://studio:ab@cd#ef@127.0.0.1:5999/studio":                       {[]string{"ab@", "cd#", "cd@", "ef@"}, []string{"a #: write %23", "an @: write %40"}},
		"postgres://studio:ab@cd/ef@127.0.0.1:5999/studio":                       {[]string{"ab@", "cd/", "ef@"}, []string{"a /: write %2F"}},
		"postgresql://studio:per%zent@127.0.0.1/studio":                          {[]string{"per%", "zent"}, []string{"a % that encodes nothing: write %25"}},
		"postgres://studio:w0rd/studio":                                          {[]string{"w0rd"}, []string{"no @"}},
		"postgres://studio:w0rd@127.0.0.1:59x9/studio":                           {[]string{"w0rd"}, []string{"port"}},
		"postgres://studio:hidden@127.0.0.1/studio?sslmode=sometimes":            {[]string{"hidden"}, []string{"sslmode"}},
		"postgres://studio:a b/c?d@127.0.0.1/studio":                             {[]string{"a b", "b/c"}, []string{"a /: write %2F", "a ?: write %3F", "a space: write %20"}},
		"postgres://stu@dio:hidden@127.0.0.1/studio":                             {[]string{"hidden"}, []string{"the user has an @: write %40"}},
		"mysql://studio:word@127.0.0.1/studio":                                   {[]string{"word@"}, []string{"postgres://USER"}},
		"host=127.0.0.1 password=my 'secret word":                                {[]string{"secret word"}, []string{"password='…'"}},
	} {
		_, err := poolConfig(dsn)
		if err == nil {
			t.Errorf("%s is taken", dsn)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\n\twant %q in it", dsn, err, want)
			}
		}
		for _, secret := range c.secrets {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v\n\tshows %q", dsn, err, secret)
			}
		}
	}
	for dsn, password := range map[string]string{
		"postgres://studio:k3J%2F9sD+fQ1w==@127.0.0.1:5999/studio":         "k3J/9sD+fQ1w==",
		"postgres://studio:ab@127.0.0.1/studio?application_name=a@b":       "ab",
		"postgres://studio:a:b!$&'()*,;=~-._@127.0.0.1/studio":             "a:b!$&'()*,;=~-._",
		"postgres:///studio?host=/var/run/postgresql&user=u&password=p%40": "p@",
		`host=127.0.0.1 user=studio password='a/b @c#d%?\'' dbname=studio`: `a/b @c#d%?'`,
	} {
		config, err := poolConfig(dsn)
		if err != nil || config.ConnConfig.Password != password {
			t.Errorf("%s: %v, want the password %q", dsn, err, password)
		}
	}
}

// docker-compose.yml gives the password by itself, whatever it holds.
func TestPasswordBesideTheAddress(t *testing.T) {
	for _, password := range []string{`k3J/9sD+fQ1w==`, `ab@cd#ef`, `a %zz?'"\ b`} {
		t.Setenv("PGPASSWORD", password)
		config, err := poolConfig("postgres://studio@postgres:5432/studio?sslmode=disable")
		if err != nil || config.ConnConfig.Password != password || config.ConnConfig.Host != "postgres" || config.ConnConfig.User != "studio" {
			t.Errorf("%q: %v", password, err)
		}
	}
}

// An address that libpq's rules read as it was meant is accepted, any other is refused: a password is never cut short.
func TestEveryPasswordIsReadOrRefused(t *testing.T) {
	t.Parallel()
	for _, c := range "/@#?%:&=+ []{}|\\^`\"<>'$!*,;~é" {
		for _, password := range []string{"ab" + string(c) + "cd", string(c) + "abcd", "abcd" + string(c), "a" + string(c) + "b" + string(c) + "@c/d"} {
			config, err := poolConfig("postgres://studio:" + password + "@127.0.0.1:5999/studio?sslmode=disable")
			switch {
			case err == nil && (config.ConnConfig.Password != password || config.ConnConfig.Host != "127.0.0.1"):
				t.Errorf("%q is read as %q on %q", password, config.ConnConfig.Password, config.ConnConfig.Host)
			case err != nil && (strings.Contains(err.Error(), "ab") || strings.Contains(err.Error(), "cd")):
				// "cannot" and "database" have no "ab" before a letter of the password; the fixed words are taken out.
				if rest := strings.NewReplacer("database", "", "DATABASE_URL", "").Replace(err.Error()); strings.Contains(rest, "ab") || strings.Contains(rest, "cd") {
					t.Errorf("%q: %v", password, err)
				}
			}
		}
	}
}
