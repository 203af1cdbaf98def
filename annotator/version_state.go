package annotator

// StateIn is the state of a model that joins a project: the first one is active, since a project that has a model has an
// active one; another is a candidate unless it is to be active at once. The first one says what the project's classes are: a
// *ValidationError where it does not.
func (v NewVersion) StateIn(hasModel bool) (VersionState, error) {
	switch {
	case !hasModel && len(v.Classes) == 0:
		return "", &ValidationError{Field: "classes", Message: "the first model of a project says what its classes are"}
	case !hasModel || v.Activate:
		return VersionActive, nil
	}
	return VersionCandidate, nil
}

// MayActivate says whether making the version its project's active one changes anything: a candidate, or an archived one,
// to which the project goes back. A *ValidationError where it cannot answer.
func (v Version) MayActivate() (changes bool, err error) {
	if err := v.unfit(); err != nil {
		return false, err
	}
	return v.State != VersionActive, nil
}

// MakesTasks reports whether what the version gets wrong is work for people: of the version in use alone.
func (v Version) MakesTasks() bool { return v.State == VersionActive }
