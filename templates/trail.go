package templates

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// Trail is the view model of the whole studio's trail.
type Trail struct {
	Lines    []annotator.TrailLine
	Older    int64 // id to continue from, 0 at its end
	People   []annotator.User
	Projects []annotator.ProjectSummary
	Form     url.Values // as typed
	Filters  url.Values // those of Form that filter
	Problem  string     // what is wrong with them
}

// kindWords are the kinds of actions in words.
var kindWords = map[annotator.TrailKind]string{
	"sessions": words.Key("Sign-ins"), "accounts": words.Key("Accounts and passwords"), "tokens": words.Key("API tokens"), "members": words.Key("Members and invitations"), "exports": words.Key("Exports"), "deletions": words.Key("Deletions"),
	"models": words.Key("Models and activations"), "webhooks": words.Key("Webhooks"), "rounds": words.Key("Rounds"), "settings": words.Key("Projects and images"), "work": words.Key("Maps and reviews"),
}

// with is an address of the trail with its filters and one field more.
func (v Trail) with(path, field, value string) string {
	q := url.Values{field: {value}}
	maps.Copy(q, v.Filters)
	return path + "?" + q.Encode()
}

// person is what people call somebody: their name, with their address where somebody else has it too. Of who is not there (any more), fallback.
func (v Trail) person(id int64, fallback string) string {
	at := slices.IndexFunc(v.People, func(u annotator.User) bool { return u.ID == id })
	if at < 0 {
		return fallback
	}
	u := v.People[at]
	if slices.ContainsFunc(v.People, func(o annotator.User) bool { return o.ID != u.ID && strings.EqualFold(o.Name, u.Name) }) {
		return fmt.Sprintf("%s (%s)", u.Name, u.Email)
	}
	return u.Name
}

// actor is who did what a line says, by the name that they had then.
func (v Trail) actor(ctx context.Context, l annotator.TrailLine) string {
	if name := v.person(l.ActorID, l.Actor); strings.HasPrefix(name, l.Actor+" (") {
		return name
	}
	return actorWord(ctx, l.Actor)
}

// subject is what a line is about; a person by their name, and nobody for who signed in.
func (v Trail) subject(ctx context.Context, l annotator.TrailLine) string {
	number, is := strings.CutPrefix(l.Subject, "user ")
	n, err := strconv.ParseInt(number, 10, 64)
	switch {
	case !is || err != nil:
		return words.Say(ctx, l.Subject)
	case l.Action == "session.start" && n == l.ActorID:
		return ""
	}
	name := v.person(n, l.SubjectName)
	switch {
	case name == "":
		return words.Say(ctx, l.Subject)
	case n == l.ActorID:
		return words.T(ctx, "{name} (themself)", "name", name)
	}
	return name
}
