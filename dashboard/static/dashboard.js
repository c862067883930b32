/*
 * dashboard/static/dashboard.js
 *    pages that renew themselves, local times, keys
 *
 * The same address is asked for again and its <main> put in place, so that a
 * filter stays; focus, what was typed, open tables and scrolling are carried
 * over.  Nothing is asked for while nobody looks.  All works without it.  What
 * it says comes with the page, in its language: data-... of <body>.
 */
'use strict';

(function () {
	const pause = document.getElementById('pause');
	const stamp = document.getElementById('stamp');
	const words = document.body.dataset;
	const language = document.documentElement.lang;
	let main = document.getElementById('main');
	let paused = false;
	let asking = false;
	let timer = 0;

	function now() {
		return new Date().toLocaleTimeString(language);
	}

	function seconds() {
		return Number(main.dataset.refresh) || 0;
	}

	function showLocalTimes() {
		main.querySelectorAll('time').forEach(function (time) {
			const at = new Date(time.dateTime);

			if (!Number.isNaN(at.getTime())) {
				time.title = words.here.replace('#', at.toLocaleString(language));
			}
		});
	}

	/* a call is copied by a click; elsewhere than on this machine browsers may not let us */
	function offerCopies() {
		if (!navigator.clipboard) {
			return;
		}
		main.querySelectorAll('.call code').forEach(function (code) {
			const button = document.createElement('button');

			button.type = 'button';
			button.className = 'small';
			button.textContent = words.copy;
			button.addEventListener('click', function () {
				navigator.clipboard.writeText(code.textContent).then(function () {
					button.textContent = words.copied;
				});
			});
			code.after(button);
		});
	}

	/* where an element without an id stands: scrolled boxes and links of a table */
	function path(element) {
		const steps = [];

		for (let e = element; e && e !== main; e = e.parentElement) {
			if (e.id) {
				steps.unshift('#' + CSS.escape(e.id));
				break;
			}
			steps.unshift(e.tagName + ':nth-child(' + (Array.from(e.parentElement.children).indexOf(e) + 1) + ')');
		}
		return steps.join('>');
	}

	function remember() {
		const active = main.contains(document.activeElement) && document.activeElement !== main
			? document.activeElement : null;

		return {
			focus: active && path(active),
			selection: active && typeof active.selectionStart === 'number'
				? [active.selectionStart, active.selectionEnd] : null,
			open: Array.from(main.querySelectorAll('details[open]'), function (d) { return d.id; }),
			scrolled: Array.from(main.querySelectorAll('.scroll, .chart'), function (box) {
				return [path(box), box.scrollLeft];
			}),
			inputs: Array.from(main.querySelectorAll('input, select'), function (i) {
				return [i.id, i.type === 'checkbox' ? i.checked : i.value];
			}),
			y: window.scrollY
		};
	}

	function restore(was) {
		was.open.forEach(function (id) {
			const details = id && document.getElementById(id);

			if (details) {
				details.open = true;
			}
		});
		was.inputs.forEach(function (input) {
			const element = input[0] && document.getElementById(input[0]);

			if (element && typeof input[1] === 'boolean') {
				element.checked = input[1];
			} else if (element) {
				element.value = input[1];
			}
		});
		was.scrolled.forEach(function (box) {
			const element = main.querySelector(box[0]);

			if (element) {
				element.scrollLeft = box[1];
			}
		});
		if (was.focus) {
			const element = main.querySelector(was.focus);

			if (element) {
				element.focus({ preventScroll: true });
				if (was.selection) {
					element.setSelectionRange(was.selection[0], was.selection[1]);
				}
			}
		}
		window.scrollTo(window.scrollX, was.y);
	}

	function replace(html) {
		const next = new DOMParser().parseFromString(html, 'text/html').getElementById('main');

		if (!next) {
			return;
		}
		const was = remember();

		main.replaceChildren.apply(main, Array.from(next.childNodes));
		main.dataset.refresh = next.dataset.refresh;
		offerCopies();
		restore(was);
		showLocalTimes();
		document.dispatchEvent(new Event('renewed'));
	}

	function plan() {
		window.clearTimeout(timer);
		if (seconds() > 0 && !paused && !document.hidden) {
			timer = window.setTimeout(renew, seconds() * 1000);
		}
	}

	function renew() {
		if (asking || paused || document.hidden) {
			return;
		}
		asking = true;
		fetch(window.location.href, { cache: 'no-cache' }).then(function (reply) {
			return reply.text();
		}).then(function (html) {
			replace(html);
			stamp.textContent = words.renewed.replace('#', now());
		}).catch(function () {
			stamp.textContent = words.failed.replace('#', now());
		}).finally(function () {
			asking = false;
			plan();
		});
	}

	function toggle() {
		paused = !paused;
		pause.textContent = paused ? words.goOn : words.pause;
		stamp.textContent = paused ? words.paused : words.every.replace('#', seconds());
		plan();
	}

	if (seconds() > 0) {
		document.getElementById('refresh').hidden = false;
		stamp.textContent = words.every.replace('#', seconds());
		pause.addEventListener('click', toggle);
		document.addEventListener('visibilitychange', function () {
			if (document.hidden) {
				window.clearTimeout(timer);
			} else {
				renew();
			}
		});
	}
	document.addEventListener('keydown', function (event) {
		const filter = document.getElementById('filter');

		if (event.ctrlKey || event.altKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
			return;
		}
		if (event.key === '/' && filter) {
			event.preventDefault();
			filter.focus();
		} else if (event.key === 'p' && seconds() > 0) {
			toggle();
		}
	});
	showLocalTimes();
	offerCopies();
	plan();
}());
