#ifndef STUDIO_BLOCKED_OPERATORS_H
#define STUDIO_BLOCKED_OPERATORS_H

// operators_supported says whether this processor has the instructions of the kernels over blocks of channels.
int operators_supported(int block);

// operators_add makes sessions opened with options (an OrtSessionOptions) know the operators under a domain's name. library is the path
// that the runtime was loaded from. NULL, or what went wrong, to be freed.
char *operators_add(const char *library, const char *domain, void *options);

#endif
