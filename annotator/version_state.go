package annotator

// StateIn returns the state of a model that is added to a project. The first one is active, since a project that has a model has an
// active one; another is a candidate unless Activate is set. The first one must name the project's classes, else the error is a
// *ValidationError.
func (v NewVersion) StateIn(hasModel bool) (VersionState, error) {
	switch {
	case !hasModel && len(v.Classes) == 0:
		return "", &ValidationError{Field: "classes", Message: "the first model of a project must name its classes"}
	case !hasModel || v.Activate:
		return VersionTransitions.To(EventAddActive), nil
	}
	return VersionTransitions.To(EventAdd), nil
}

// MayActivate reports whether activating the version changes anything: it is a candidate, or an archived one to which the project
// goes back. *ValidationError if the version cannot be used (Problem).
func (v Version) MayActivate() (changes bool, err error) {
	if err := v.unfit(); err != nil {
		return false, err
	}
	return VersionTransitions.May(v.State, EventActivate), nil
}

// MakesTasks reports whether images that the version gets wrong become tasks: only the active version makes tasks.
func (v Version) MakesTasks() bool { return v.State == VersionActive }
