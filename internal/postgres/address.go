package postgres

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/abn-studio/studio/internal/text"
)

// connectWithin bounds a connection attempt where the address sets no connect_timeout of its own.
const connectWithin = 5 * time.Second

// The names by which PostgreSQL knows connections: of servers, workers and commands, of a backup, of a restore.
const (
	application        = "abn-studio"
	backupApplication  = application + " backup"
	restoreApplication = application + " restore"
)

// AddressError is the error of a database's address that cannot be read. It shows no part of the address, since that may be a part of
// the password.
type AddressError struct{ Reason string }

func (e *AddressError) Error() string {
	return "the database's address (DATABASE_URL or --database) cannot be read: " + e.Reason
}

const urlForm = "postgres://USER:PASSWORD@HOST:PORT/DATABASE"

// poolConfig reads an address in URL or keyword form. What the address leaves out comes from the environment, as in every PostgreSQL
// client: PGPASSWORD, PGHOST, PGSSLMODE, a password file.
func poolConfig(dsn string) (*pgxpool.Config, error) {
	dsn = strings.TrimSpace(dsn)
	rest, isURL := urlRest(dsn)
	if !isURL && strings.Contains(dsn, "://") {
		return nil, &AddressError{"write " + urlForm}
	}
	config, err := pgxpool.ParseConfig(dsn)
	if isURL {
		if wrong := misread(rest, config); wrong != "" {
			return nil, &AddressError{wrong}
		}
	}
	if err != nil {
		// pgx's message begins with the address, in which it may have left out the wrong part as the password. The reason after it
		// is safe to show.
		_, reason, _ := strings.Cut(err.Error(), "`: ")
		if !isURL {
			reason, _, _ = strings.Cut(reason, " (")
			reason += "; a password with spaces, quotes or backslashes is written password='…', each ' and \\ in it behind a \\"
		}
		return nil, &AddressError{reason}
	}
	config.ConnConfig.ConnectTimeout = cmp.Or(config.ConnConfig.ConnectTimeout, connectWithin)
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = application
	}
	config.ConnConfig.DialFunc = dialer(config.ConnConfig.ConnectTimeout).DialContext
	// Set by a statement, since connection poolers refuse connection parameters that they do not know.
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		// Pages ask short questions: to compile one takes longer than to answer it (2.3 s of a queue page's 2.9 s).
		_, err := c.Exec(ctx, fmt.Sprintf("SET jit = off; SET idle_in_transaction_session_timeout = %d; SET tcp_user_timeout = %d; SET tcp_keepalives_idle = %d; SET tcp_keepalives_interval = %d; SET tcp_keepalives_count = %d",
			idleWithin.Milliseconds(), unheardAfter.Milliseconds(), int(aliveEvery.Seconds()), int(aliveEvery.Seconds()), aliveTimes))
		return err
	}
	return config, nil
}

// idleWithin is how long a transaction may stand still before PostgreSQL ends it. A process that is frozen or cut off keeps the locks of
// its transaction, on a task or a round for example, and whoever asks another server for the same waits for it: less long than an answer
// may take. No transaction of the studio does anything else between its statements.
const idleWithin = 8 * time.Second

// How soon either end of a connection notices that nothing reaches the other any more. By the kernel's own measure that takes a quarter
// of an hour where something was sent, and two hours where nothing is: so long the database keeps the locks of who is cut off, and a
// worker waits for jobs that nobody brings.
const (
	unheardAfter = 15 * time.Second // what was sent and never confirmed ends the connection
	aliveEvery   = 5 * time.Second  // of a connection that is silent, between asking whether the other end is there
	aliveTimes   = 3                // unanswered questions end it
)

// dialer connects to the database.
func dialer(within time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: within, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: aliveEvery, Interval: aliveEvery, Count: aliveTimes}, Control: notUnheard}
}

// urlRest is what follows the scheme of a URL.
func urlRest(dsn string) (rest string, is bool) {
	for _, scheme := range []string{"postgres://", "postgresql://"} {
		if rest, is = strings.CutPrefix(dsn, scheme); is {
			return rest, true
		}
	}
	return "", false
}

// queried matches the end of an address, from its path on, if that has a query of known parameters: an @ in there is not the one after
// the password.
var queried = regexp.MustCompile(`^/?[^/?#@]*\?(sslmode|sslrootcert|sslcert|sslkey|application_name|connect_timeout|target_session_attrs|options|user|password|host|port|dbname|search_path|pool_\w+)=`)

// misread says why a URL was read in another way than it was meant, "" if it was not. config is how it was read; nil: it could not be.
// Most often a special character of the password ends it too early. The rest of the password would then be taken for a host or a
// port, shown in messages, and sent to a name server.
func misread(rest string, config *pgxpool.Config) string {
	authority := rest
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		authority = rest[:end]
	}
	// User and password end at the last @, since no host has one.
	at := strings.LastIndexByte(rest, '@')
	if inside := strings.IndexByte(authority, '@'); inside >= 0 && queried.MatchString(rest[len(authority):]) {
		at = strings.LastIndexByte(authority, '@')
	}
	if at < 0 {
		host, port, found := strings.Cut(authority, ":")
		if found && host != "" && host[0] != '[' && strings.Trim(port, "0123456789,:") != "" {
			return "there is no @ between the password and the host: write " + urlForm
		}
		return ""
	}
	user, password, given := strings.Cut(rest[:at], ":")
	meantUser, wrongUser := url.PathUnescape(user)
	meant, wrong := url.PathUnescape(password)
	if wrong == nil && !text.Valid(meant) {
		return "the password has a % that encodes nothing: write %25"
	}
	if wrongUser == nil && wrong == nil && config != nil &&
		(user == "" || config.ConnConfig.User == meantUser) && (!given || password == "" || config.ConnConfig.Password == meant) {
		return ""
	}
	if found := reserved(password); len(found) > 0 {
		return "the password has " + strings.Join(found, ", ")
	}
	if found := reserved(user); len(found) > 0 {
		return "the user has " + strings.Join(found, ", ")
	}
	return "" // neither user nor password is wrong
}

// reserved lists the characters of s that must be percent-encoded in a user or a password, each with what to write in its place.
func reserved(s string) []string {
	var found []string
	for _, c := range []struct{ char, name string }{{"/", "a /"}, {"@", "an @"}, {"#", "a #"}, {"?", "a ?"}, {" ", "a space"}, {"[", "a ["}, {"]", "a ]"}} {
		if strings.Contains(s, c.char) {
			found = append(found, fmt.Sprintf("%s: write %%%02X", c.name, c.char[0]))
		}
	}
	for i := range len(s) {
		if s[i] == '%' && (len(s) < i+3 || strings.Trim(s[i+1:i+3], "0123456789abcdefABCDEF") != "") {
			return append(found, "a % that encodes nothing: write %25")
		}
	}
	return found
}
