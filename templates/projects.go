package templates

import (
	"context"
	"strconv"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/orders"
	"github.com/abn-studio/studio/internal/words"
)

// Projects is the view model of the front page.
type Projects struct {
	Projects []annotator.ProjectSummary // that are open
	Closed   []annotator.ProjectSummary
	Deleted  []annotator.ProjectSummary // for admins
	Form     *ProjectForm               // an admin's half-filled form, nil when it is folded away
}

// ProjectForm is what an admin typed about a new project, and what is wrong with it.
type ProjectForm struct {
	Slug, Name, Description string
	Apart                   bool // nobody but whoever makes it is a member at first
	Problem                 string
}

// Settings is the view model of a project's page: its forms as they are filled in.
type Settings struct {
	Name, Description string
	Feedback          annotator.Feedback
	SecondReviewer    bool
	Mix               orders.Mix
	Overlap           annotator.Overlap
	CheckShare        int
	Share, Newcomer   string                    // of the form of Sampling
	Authors           []annotator.SampledAuthor // for admins
	Members           int                       // who can sign in, for leads
	Class             int                       // that is renamed; -1: none is chosen
	ClassName         string
	Deleting          bool   // a project was to be deleted
	Problem           string // what is wrong with a form that was sent
}

// NewSettings fills in what a project has.
func NewSettings(p annotator.Project) Settings {
	return Settings{Name: p.Name, Description: p.Description, Feedback: p.Feedback, SecondReviewer: p.SecondReviewer, Mix: p.Mix, Overlap: p.Overlap, CheckShare: p.CheckShare, Share: strconv.Itoa(p.Sampling.Share), Newcomer: strconv.Itoa(p.Sampling.Newcomer), Class: -1}
}

// nobodyAdopts says that an image which several people paint may be left without anybody who adopts of its maps: whoever painted it may
// not. "" where enough people are there.
func (v Settings) nobodyAdopts(ctx context.Context) string {
	if v.Overlap.Share == 0 || v.Members == 0 || v.Members > v.Overlap.Painters {
		return ""
	}
	return words.N(ctx, v.Members, "The project has {n} member, and {painters} paint each of these images. Whoever painted one may not adopt its map: have a reviewer more than painters, or fewer painters.",
		"The project has {n} members, and {painters} paint each of these images. Whoever painted one may not adopt its map: have a reviewer more than painters, or fewer painters.", "painters", v.Overlap.Painters)
}

// feedbackWords says when painters see what the network says to their map.
var feedbackWords = map[annotator.Feedback]string{
	annotator.FeedbackLive:      words.Key("While they paint"),
	annotator.FeedbackSubmitted: words.Key("Once the map is submitted"),
	annotator.FeedbackOff:       words.Key("Not in the editor"),
}

// there are the deleted projects that can be restored.
func (v Projects) there() (all []annotator.ProjectSummary) {
	for _, p := range v.Deleted {
		if p.PurgedAt == nil {
			all = append(all, p)
		}
	}
	return all
}

// gone are the deleted projects of which the record is left.
func (v Projects) gone() (all []annotator.ProjectSummary) {
	for _, p := range v.Deleted {
		if p.PurgedAt != nil {
			all = append(all, p)
		}
	}
	return all
}

func orBlank(f *ProjectForm) ProjectForm {
	if f == nil {
		return ProjectForm{}
	}
	return *f
}

// classChoice names a class where one is chosen, with its key where that says something else.
func classChoice(c annotator.Class) string {
	if c.Key == c.Name {
		return c.Name
	}
	return c.Name + " (" + c.Key + ")"
}

// share is the order's in the mix's form: a number, or nothing.
func (v Settings) share(order orders.Order) string {
	if v.Mix[order] == 0 {
		return ""
	}
	return strconv.Itoa(v.Mix[order])
}

// mixSum is what the shares make together.
func (v Settings) mixSum() (sum int) {
	for _, share := range v.Mix {
		sum += share
	}
	return sum
}
