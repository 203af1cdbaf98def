package words

import (
	"context"
	"math"
	"strconv"
	"time"
)

// Date writes a day: 30 Nov 2026, 2026年11月30日.
func Date(ctx context.Context, t time.Time) string { return t.Format(layouts[Of(ctx)].date) }

// Moment writes a time to the second, in UTC: 30 Nov 2026, 15:04:05 UTC.
func Moment(ctx context.Context, t time.Time) string { return t.UTC().Format(layouts[Of(ctx)].moment) }

// layouts are how CLDR writes dates, in time's own notation.
var layouts = map[Language]struct{ date, moment string }{
	English:  {"2 Jan 2006", "2 Jan 2006, 15:04:05 UTC"},
	Japanese: {"2006年1月2日", "2006年1月2日 15:04:05 UTC"},
}

// Seconds writes how long something takes as people say it: 45 s, 3 min, 1 h 20 min; – for what is no duration.
func Seconds(ctx context.Context, s float64) string {
	switch {
	case s < 0 || math.IsNaN(s) || math.IsInf(s, 0):
		return "–"
	case s < 10:
		return T(ctx, "{n} s", "n", strconv.FormatFloat(s, 'f', 1, 64))
	case s < 90:
		return T(ctx, "{n} s", "n", strconv.FormatFloat(s, 'f', 0, 64))
	case s < 3600:
		return T(ctx, "{n} min", "n", strconv.FormatFloat(s/60, 'f', 0, 64))
	default:
		return T(ctx, "{hours} h {minutes} min", "hours", int(s)/3600, "minutes", int(s)%3600/60)
	}
}

// Ago writes how long before now something was: "just now", "5 min ago", "3 days ago", else its date.
func Ago(ctx context.Context, t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d < -time.Minute:
		return T(ctx, "in {time}", "time", Seconds(ctx, (-d).Seconds()))
	case d < 45*time.Second:
		return T(ctx, "just now")
	case d < 90*time.Minute:
		return T(ctx, "{n} min ago", "n", max(1, int(d.Minutes()+0.5)))
	case d < 36*time.Hour:
		return T(ctx, "{n} h ago", "n", int(d.Hours()+0.5))
	case d < 14*24*time.Hour:
		return T(ctx, "{n} days ago", "n", int(d.Hours()/24+0.5))
	default:
		return Date(ctx, t)
	}
}
