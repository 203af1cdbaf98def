package templates

import (
	"context"
	"fmt"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// Frame is what every page needs: the visitor, the project, and the addresses of assets.
type Frame struct {
	Title   string
	User    *annotator.User           // nil: nobody is signed in
	Role    annotator.Role            // of the visitor in the project; outside a project, in the studio
	Project *annotator.ProjectSummary // nil outside a project
	Section string                    // of the project's tabs: "queue", "review", "images", "rounds", "versions", "activity", "settings"
	Theme   string                    // "light", "dark", or "" for the system's
	Address string                    // of the page itself: where switching the language leads back to
	Notice  *Notice                   // what the last action did; shown once
	Asset   func(name string) string  // address of an embedded asset
	Scripts []string                  // bundles besides pages.js
	Release string
	Now     time.Time
}

// withoutNotice is the frame of a page that says itself what the last action did.
func (f Frame) withoutNotice() Frame {
	f.Notice = nil
	return f
}

// Notice is one sentence about what just happened.
type Notice struct {
	Text string
	Bad  bool // the action failed
}

// May reports whether the visitor's role, in the project or else in the studio, includes role.
func (f Frame) May(role annotator.Role) bool { return f.User != nil && f.Role.May(role) }

// To returns an address within the project: To("queue") is /projects/SLUG/queue.
func (f Frame) To(format string, args ...any) string {
	if f.Project == nil {
		return "/projects"
	}
	return "/projects/" + f.Project.Slug + "/" + fmt.Sprintf(format, args...)
}

// tab is one entry of a project's navigation.
type tab struct {
	section, label string
	count          int // shown unless it is 0
}

// tabs lists the tabs of the project that the visitor may open.
func (f Frame) tabs(ctx context.Context) []tab {
	tabs := []tab{{"queue", words.T(ctx, "Queue"), f.Project.OpenTasks}}
	if f.May(annotator.RoleReviewer) {
		tabs = append(tabs, tab{"review", words.T(ctx, "Review"), toJudge(f.Project)})
	}
	tabs = append(tabs, tab{"images", words.T(ctx, "Images"), 0})
	return append(tabs, tab{"rounds", words.T(ctx, "Rounds"), 0}, tab{"versions", words.T(ctx, "Versions"), 0},
		tab{"activity", words.T(ctx, "Activity"), 0}, tab{"settings", words.T(ctx, "Data"), 0})
}

// ClassName is the name people read of a class of the project.
func (f Frame) ClassName(index int) string {
	if f.Project != nil {
		return ClassName(f.Project.Classes, index)
	}
	return fmt.Sprint(index)
}

// ClassName is the name people read of a class.
func ClassName(classes []annotator.Class, index int) string {
	if index >= 0 && index < len(classes) {
		return classes[index].Name
	}
	return fmt.Sprintf("class %d", index)
}

// viewRatio is height over width of the model's view.
func (f Frame) viewRatio() float64 {
	if f.Project == nil {
		return 1
	}
	return ViewRatio(f.Project.ActiveVersion)
}

// activeVersion is the id of the project's active version, 0 where there is none.
func (f Frame) activeVersion() int64 {
	if f.Project == nil || f.Project.ActiveVersion == nil {
		return 0
	}
	return f.Project.ActiveVersion.ID
}

// personRole is a role of a person as people say it.
func personRole(ctx context.Context, r annotator.Role) string {
	switch r {
	case annotator.RoleAnnotator:
		return words.T(ctx, "annotator")
	case annotator.RoleReviewer:
		return words.T(ctx, "reviewer")
	case annotator.RoleLead:
		return words.T(ctx, "lead")
	case annotator.RoleAdmin:
		return words.T(ctx, "admin")
	}
	return string(r)
}
