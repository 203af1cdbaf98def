package templates

import "github.com/abn-studio/studio/annotator"

// Projects is the view model of the front page.
type Projects struct {
	Projects []annotator.ProjectSummary
	Form     *ProjectForm // an admin's half-filled form, nil when it is folded away
}

// ProjectForm is what an admin typed about a new project, and what is wrong with it.
type ProjectForm struct {
	Slug, Name, Description string
	Problem                 string
}

func orBlank(f *ProjectForm) ProjectForm {
	if f == nil {
		return ProjectForm{}
	}
	return *f
}
