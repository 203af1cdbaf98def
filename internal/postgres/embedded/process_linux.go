package embedded

import "syscall"

// dieWithParent makes the kernel ask the server to stop (fast shutdown) when the thread that started
// it ends, which is why that thread is kept until the server has ended.
func dieWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGINT }
