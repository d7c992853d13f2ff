// A module that hangs the kernel, or makes it fail, in the way that `how` names.

#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *how = "";
module_param(how, charp, 0);
MODULE_PARM_DESC(how, "loop, start, deadlock, timer or null");

static DEFINE_SPINLOCK(stuck_lock);
static struct timer_list stuck_timer;

static noinline void stuck_forever(void)
{
	for (;;)
		cpu_relax();
}

/* In the piece of a module's code that the kernel frees when its start is over. */
static noinline void __init stuck_at_start(void)
{
	for (;;)
		cpu_relax();
}

static noinline void stuck_in_timer(struct timer_list *timer)
{
	stuck_forever();
	barrier();
}

/* A lock taken twice: with interrupts off, so that nothing but another processor can tell. */
static noinline void stuck_in_lock(void)
{
	unsigned long flags, again;

	spin_lock_irqsave(&stuck_lock, flags);
	spin_lock_irqsave(&stuck_lock, again);
	spin_unlock_irqrestore(&stuck_lock, again);
	spin_unlock_irqrestore(&stuck_lock, flags);
}

static noinline void stuck_null(void)
{
	*(volatile int *)16 = 0;
}

static int __init stuck_init(void)
{
	pr_info("stuck: %s\n", how);
	if (!strcmp(how, "loop"))
		stuck_forever();
	if (!strcmp(how, "start"))
		stuck_at_start();
	if (!strcmp(how, "deadlock"))
		stuck_in_lock();
	if (!strcmp(how, "null"))
		stuck_null();
	timer_setup(&stuck_timer, stuck_in_timer, 0);
	mod_timer(&stuck_timer, jiffies + 1);
	return 0;
}

module_init(stuck_init);
MODULE_DESCRIPTION("Hangs the kernel");
MODULE_LICENSE("Apache-2.0");
