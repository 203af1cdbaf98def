package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
)

var (
	errCrossOrigin = errors.New("the request came from another site")
	errBadPassword = errors.New("no account has this e-mail address and password")
	errBadForm     = errors.New("the form could not be read")
)

// notValid is the title of a request of which a field is wrong.
const notValid = "Not valid"

// failure is an error as it is shown to the client.
type failure struct {
	status  int
	title   string // a few words: what happened
	detail  string // one sentence: which thing, and what to do
	field   string // of the request, as the API spells it; "" if no one field is wrong
	current *annotator.Edit
	retry   int  // seconds until the client should try again; 0: not said
	passing bool // a refusal under load and not a fault: it is logged as a warning
}

// tryAgain is how many seconds a client should wait after the database did not answer.
const tryAgain = 5

// outcome is the one table from errors to statuses. An error that it does not know is a 500, whose cause is logged and not shown.
func outcome(err error) failure {
	var (
		validation *annotator.ValidationError
		ended      *annotator.TokenError
		scope      *annotator.ScopeError
		stale      *annotator.StaleError
		lease      *annotator.LeaseError
		closed     *annotator.ClosedError
		throttled  *throttledError
		tooLarge   *http.MaxBytesError
		picture    *annotator.PictureError
		segmenter  *annotator.SegmenterError
	)
	say := err.Error()
	switch {
	case errors.As(err, &validation):
		return failure{status: http.StatusUnprocessableEntity, title: notValid, detail: validation.Message, field: validation.Field}
	case errors.Is(err, attention.ErrGrid), errors.Is(err, attention.ErrValue), errors.Is(err, attention.ErrMarks):
		return failure{status: http.StatusUnprocessableEntity, title: "Not an attention map of this model", detail: say, field: "map"}
	case errors.As(err, &stale):
		return failure{status: http.StatusConflict, title: "Saved elsewhere meanwhile",
			detail: fmt.Sprintf("%v: rebase on it, nothing was overwritten", stale), field: "base_revision", current: &stale.Current}
	case errors.As(err, &lease):
		return failure{status: http.StatusConflict, title: "Held by somebody else", detail: lease.Error()}
	case errors.As(err, &closed):
		return failure{status: http.StatusConflict, title: "The project is closed", detail: closed.Error()}
	case errors.As(err, &throttled):
		return failure{status: http.StatusTooManyRequests, title: "Too many attempts", detail: say, retry: int(throttled.after.Seconds() + 1)}
	case errors.Is(err, annotator.ErrTooLarge):
		return failure{status: http.StatusRequestEntityTooLarge, title: "Too large", detail: strings.TrimPrefix(say, annotator.ErrTooLarge.Error()+": "), field: "model"}
	case errors.As(err, &tooLarge):
		return failure{status: http.StatusRequestEntityTooLarge, title: "Too large", detail: "at most " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes are read"}
	case errors.As(err, &ended):
		return failure{status: http.StatusUnauthorized, title: "Token no longer valid", detail: ended.Error()}
	case errors.As(err, &scope):
		return failure{status: http.StatusForbidden, title: "Not in the token's scope", detail: scope.Error()}
	case errors.Is(err, annotator.ErrInvitation):
		return failure{status: http.StatusGone, title: "No invitation", detail: annotator.ErrInvitation.Error()}
	case errors.Is(err, annotator.ErrWrongPassword):
		return failure{status: http.StatusUnprocessableEntity, title: notValid, detail: annotator.ErrWrongPassword.Error(), field: "current_password"}
	case errors.Is(err, annotator.ErrShowAgain):
		return failure{status: http.StatusUnprocessableEntity, title: notValid, detail: annotator.ErrShowAgain.Error(), field: "current_password"}
	case errors.Is(err, annotator.ErrCodeNeeded):
		return failure{status: http.StatusUnauthorized, title: "Not signed in", detail: annotator.ErrCodeNeeded.Error(), field: "code"}
	case errors.Is(err, annotator.ErrWrongCode):
		return failure{status: http.StatusUnprocessableEntity, title: notValid, detail: annotator.ErrWrongCode.Error(), field: "code"}
	case errors.Is(err, errPasskey):
		return failure{status: http.StatusUnauthorized, title: "Not signed in", detail: say}
	case errors.Is(err, errBadPassword):
		return failure{status: http.StatusUnauthorized, title: "Not signed in", detail: say}
	case errors.Is(err, errBadForm):
		return failure{status: http.StatusBadRequest, title: "Not understood", detail: say}
	case errors.Is(err, errCrossOrigin):
		return failure{status: http.StatusForbidden, title: "Refused", detail: fmt.Sprintf("%s: open the studio itself and do it there", say)}
	case errors.Is(err, annotator.ErrUnauthorized):
		return failure{status: http.StatusUnauthorized, title: "Not signed in", detail: "sign in, or send a valid bearer token"}
	case errors.Is(err, annotator.ErrForbidden):
		return failure{status: http.StatusForbidden, title: "Not allowed", detail: say}
	case errors.Is(err, annotator.ErrNotFound):
		return failure{status: http.StatusNotFound, title: "Not found", detail: say}
	case errors.Is(err, annotator.ErrNoTask):
		return failure{status: http.StatusNotFound, title: "Nothing waiting", detail: say}
	case errors.Is(err, annotator.ErrConflict):
		return failure{status: http.StatusConflict, title: "Not possible now", detail: say}
	case errors.Is(err, annotator.ErrBusy):
		return failure{status: http.StatusServiceUnavailable, title: "Busy", detail: say, retry: 5, passing: true}
	case errors.Is(err, annotator.ErrDatabaseAway): // the error may name the server, so it is only logged
		return failure{status: http.StatusServiceUnavailable, title: "The database does not answer", retry: tryAgain,
			detail: "the database does not answer: try again in a moment. What was saved before is safe; whether the last change was kept shows then"}
	case errors.Is(err, annotator.ErrBlobsAway): // nor is where the bucket is
		return failure{status: http.StatusServiceUnavailable, title: "The blob store does not answer", retry: tryAgain,
			detail: "the blob store, which has pictures and models, does not answer: try again in a moment. Painting and saving go on without it"}
	case errors.As(err, &picture) && errors.Is(err, annotator.ErrMissing):
		return failure{status: http.StatusNotFound, title: "The picture is missing", detail: picture.Error()}
	case errors.As(err, &picture):
		return failure{status: http.StatusUnprocessableEntity, title: "The picture cannot be used", detail: picture.Error()}
	case errors.As(err, &segmenter):
		return failure{status: http.StatusServiceUnavailable, title: "The segmenter does not work", detail: segmenter.Error()}
	case errors.Is(err, annotator.ErrFull):
		return failure{status: http.StatusInsufficientStorage, title: "The disk is full", detail: "the studio's disk takes no more, so nothing was saved: whoever runs the studio has to free some space, and then try again (/readyz says where)"}
	case errors.Is(err, annotator.ErrMissing), errors.Is(err, annotator.ErrDamaged):
		return failure{status: http.StatusInternalServerError, title: "A file of the studio is lost", detail: say}
	case errors.Is(err, annotator.ErrUnavailable):
		return failure{status: http.StatusServiceUnavailable, title: "Unavailable for the moment", detail: say, retry: 2}
	case errors.Is(err, annotator.ErrTooLong):
		return failure{status: http.StatusGatewayTimeout, title: "Took too long", detail: say}
	case errors.Is(err, context.Canceled):
		return failure{status: 499, title: "Cancelled", detail: "the client went away"} // nginx's number; nobody reads it
	case errors.Is(err, context.DeadlineExceeded):
		return failure{status: http.StatusGatewayTimeout, title: "Took too long", detail: "the studio gave up waiting: try again", retry: 2}
	default:
		return failure{status: http.StatusInternalServerError, title: "Something broke here",
			detail: "the studio's log has the cause under this request's id"}
	}
}

// note logs the part of an error that the answer leaves out. The request's line in the access log has the rest, under the same id.
func (s *Server) note(ctx context.Context, f failure, err error) {
	switch {
	case f.passing:
		s.log.WarnContext(ctx, "request refused", "error", text.Cut(err.Error(), maxErrorLogged))
	case f.status >= 500:
		s.log.ErrorContext(ctx, "request failed", "error", text.Cut(err.Error(), maxErrorLogged))
	}
}

// outcome returns how an error is shown. If the database is away and the disk is full, the full disk is shown as the cause.
func (s *Server) outcome(ctx context.Context, err error) failure {
	f := outcome(err)
	if errors.Is(err, annotator.ErrUnavailable) && s.config.Disk != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if full := s.config.Disk(ctx); errors.Is(full, annotator.ErrFull) {
			return outcome(full)
		}
	}
	return f
}

// fail answers a request with an error: a problem under /api, a page elsewhere. It logs what the answer leaves out.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := s.outcome(r.Context(), err)
	s.note(r.Context(), f, err)
	if rec, ok := r.Context().Value(keyRecord).(*record); ok && rec.wrote {
		return // part of the answer was sent already: the broken connection tells the client
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Encoding")
	if f.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(f.retry))
	}
	if c := challenge(err); c != "" {
		h.Set("WWW-Authenticate", c)
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/"):
		writeProblem(w, newProblem(r.Context(), f))
	case f.status == http.StatusUnauthorized && r.Method == http.MethodGet:
		http.Redirect(w, r, signInAddress(r), http.StatusSeeOther)
	default:
		s.errorPage(w, r, f)
	}
}
