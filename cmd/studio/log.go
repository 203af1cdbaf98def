package main

import (
	"io"
	"log/slog"

	"github.com/abn-studio/studio/internal/logs"
)

// logFlags say how a server or a worker writes its log.
type logFlags struct {
	LogFormat logs.Format `enum:"text,json" default:"text" env:"STUDIO_LOG_FORMAT" help:"How the log's lines are written: text (key=value) or json (an object a line)."`
	LogLevel  string      `enum:"debug,info,warn,error" default:"info" env:"STUDIO_LOG_LEVEL" help:"The least level that is logged: debug, info, warn or error."`
}

// newLog returns the log of a server or a worker. JSON escapes what could move a terminal's cursor itself.
func (f logFlags) newLog(w io.Writer) *slog.Logger {
	if f.LogFormat == logs.JSON {
		w = verbatim(w)
	}
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.LogLevel)) // kong has compared it with the names that there are
	return logs.New(w, f.LogFormat, level)
}

// warnings returns the log of a command that prints its own results: it writes only warnings and errors.
func warnings(w io.Writer) *slog.Logger { return logs.New(w, logs.Text, slog.LevelWarn) }
